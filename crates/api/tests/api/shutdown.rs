use std::io::{ErrorKind, Write as _};
use std::sync::Arc;
use std::time::Duration;

use millrace_store::{Fault, MemoryDisk};
use millrace_stream::live::Live;

use crate::world::{World, order, read_answer};

#[test]
fn what_is_in_flight_ends_and_nothing_new_is_taken() {
    let mut world = World::new();
    let body = order(1, 1, "a", "4.00");
    let length = body.len();
    let mut slow = world.connect();
    let head = format!(
        "POST /v1/streams/orders/events HTTP/1.1\r\nhost: localhost\r\n\
         content-type: application/x-ndjson\r\ncontent-length: {length}\r\n\r\n"
    );
    slow.write_all(head.as_bytes()).unwrap();
    slow.write_all(&body.as_bytes()[..10]).unwrap();
    let mut idle = world.connect();
    idle.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
    assert_eq!(read_answer(&mut idle).status, 200);
    std::thread::sleep(Duration::from_millis(100));
    let finishing = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(300));
        slow.write_all(&body.as_bytes()[10..]).unwrap();
        read_answer(&mut slow)
    });
    assert!(world.stop_server(), "requests in flight were cut off");
    let answered = finishing.join().unwrap();
    assert_eq!(answered.json()["accepted"], 1, "{answered:?}");
    assert!(std::net::TcpStream::connect(world.address).is_err());
    assert_eq!(
        world.engine("spending", "a", "2026-01-05T12:00:30Z")[0].value,
        millrace_event::Value::Int(1)
    );
    world.live.close().unwrap();
}

#[test]
fn a_request_that_never_ends_is_cut_off() {
    let mut world = World::with(|settings, _| {
        settings.limits.drain_timeout = Duration::from_millis(300);
    });
    let mut slow = world.connect();
    slow.write_all(
        b"POST /v1/streams/orders/events HTTP/1.1\r\nhost: localhost\r\n\
          content-type: application/x-ndjson\r\ncontent-length: 10\r\n\r\n",
    )
    .unwrap();
    std::thread::sleep(Duration::from_millis(100));
    assert!(!world.stop_server());
    world.live.close().unwrap();
}

#[test]
fn a_disk_that_fails_is_told_and_reads_go_on() {
    let disk = Arc::new(MemoryDisk::new());
    let on = Arc::clone(&disk);
    let world = World::opened(
        tempfile::tempdir().unwrap(),
        |_, live| live.checkpoint_every = Duration::from_secs(3_600),
        move |plan, settings| Live::open_on(on, plan, settings),
    );
    assert_eq!(world.lines(&order(1, 1, "a", "1")).status, 200);
    let (first, kind) = (disk.calls(), ErrorKind::StorageFull);
    disk.set_fault(Some(Fault { first, calls: u64::MAX, kind, half_done: false }));
    let refused = world.lines(&order(2, 2, "a", "1"));
    assert_eq!((refused.status, refused.code().as_str()), (503, "durability_failed"));
    assert!(refused.header("retry-after").is_some());
    let refused = world.get("/readyz");
    assert_eq!((refused.status, refused.code().as_str()), (503, "durability_failed"));
    // What it says to those who need no key names no file.
    let message = "events cannot be made durable: the server's log says why";
    assert_eq!(refused.json()["error"]["message"], message);
    assert_eq!(world.get("/v1/features/spending/a").status, 200);
    assert!(world.get("/metrics").body.contains("\nmillrace_durable 0\n"));
}

#[test]
fn an_engine_that_is_gone_is_told() {
    let world = World::new();
    world.live.close().unwrap();
    let refused = world.get("/v1/features/spending/a");
    assert_eq!((refused.status, refused.code().as_str()), (503, "stopping"));
    assert!(refused.header("retry-after").is_some());
    assert_eq!(world.get("/readyz").status, 503);
    assert_eq!(world.get("/healthz").status, 200);
}

#[test]
fn whether_it_is_ready_is_answered_without_the_engine() {
    let world = World::new();
    let release = world.hold_engine();
    let mut asking = world.connect();
    asking.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    asking.write_all(b"GET /readyz HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
    assert_eq!(read_answer(&mut asking).status, 200);
    drop(release);
    world.close();
}

#[test]
fn an_error_before_the_body_keeps_the_connection_or_says_that_it_ends() {
    let world = World::new();
    let head = |length: usize| {
        format!(
            "POST /v1/streams/none/events HTTP/1.1\r\nhost: localhost\r\n\
             content-type: application/x-ndjson\r\ncontent-length: {length}\r\n\r\n"
        )
    };
    // It does not come in time, or is too long to be read for nothing.
    for refused in [world.exchange(&head(10), b""), world.exchange(&head(1 << 20), b"")] {
        assert_eq!((refused.status, refused.header("connection")), (404, Some("close")));
    }
    let mut stream = world.connect();
    for _ in 0..2 {
        stream.write_all(head(10).as_bytes()).unwrap();
        std::thread::sleep(Duration::from_millis(20));
        stream.write_all(b"0123456789").unwrap();
        let refused = read_answer(&mut stream);
        assert_eq!((refused.status, refused.header("connection")), (404, None));
    }
    let answered = world.get("/v1/features/none/a");
    assert_eq!((answered.status, answered.header("connection")), (404, None));
    world.close();
}
