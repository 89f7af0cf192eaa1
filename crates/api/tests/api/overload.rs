use std::io::{Read as _, Write as _};
use std::time::{Duration, Instant};

use crate::world::{World, order, read_answer};

const ORDERS: &str = "/v1/streams/orders/events";

/// The head of a request for events with a body of this length that does not come yet.
fn slow(length: usize) -> String {
    format!(
        "POST {ORDERS} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-ndjson\r\n\
         content-length: {length}\r\n\r\n"
    )
}

#[test]
fn beyond_the_requests_in_flight_it_says_when_to_come_back_and_reads_go_on() {
    let world = World::with(|settings, _| settings.limits.ingest_requests_max = 1);
    let body = order(1, 1, "a", "1");
    let mut first = world.connect();
    first.write_all(slow(body.len()).as_bytes()).unwrap();
    first.write_all(&body.as_bytes()[..5]).unwrap();
    // Until the first one has been taken on.
    while !world.get("/metrics").body.contains("millrace_inbox_depth{kind=\"ingest\"} 1") {
        std::thread::sleep(Duration::from_millis(10));
    }
    let refused = world.lines(&order(2, 2, "a", "1"));
    assert_eq!((refused.status, refused.code().as_str()), (429, "overloaded"));
    assert!(refused.header("retry-after").unwrap().parse::<u32>().unwrap() >= 1);
    assert_eq!(world.get("/v1/features/spending/a").status, 200);
    assert_eq!(world.get("/metrics").status, 200);
    first.write_all(&body.as_bytes()[5..]).unwrap();
    assert_eq!(read_answer(&mut first).json()["received"], 1);
    assert_eq!(world.lines(&order(3, 3, "a", "1")).status, 200);
    world.close();
}

#[test]
fn a_refusal_comes_before_the_body() {
    let world = World::with(|settings, _| settings.limits.ingest_requests_max = 0);
    let mut stream = world.connect();
    stream.write_all(slow(1 << 20).as_bytes()).unwrap();
    assert_eq!(read_answer(&mut stream).status, 429);
    world.close();
}

#[test]
fn who_asks_before_sending_a_body_is_refused_without_it_or_told_to_go_on() {
    let asking = |length: usize| {
        slow(length).replace("\r\ncontent-length", "\r\nexpect: 100-continue\r\ncontent-length")
    };
    let world = World::with(|settings, _| settings.limits.ingest_requests_max = 0);
    let mut stream = world.connect();
    stream.write_all(asking(1_000).as_bytes()).unwrap();
    let mut told = String::new();
    // A body that came now could be taken for a request: the connection ends.
    stream.read_to_string(&mut told).unwrap();
    assert!(told.starts_with("HTTP/1.1 429 "), "{told}");
    assert!(told.contains("\r\nretry-after: 1\r\n"), "{told}");
    assert!(told.contains("\r\nconnection: close\r\n"), "{told}");
    world.close();

    let world = World::new();
    let body = order(1, 1, "a", "1");
    let mut stream = world.connect();
    stream.write_all(asking(body.len()).as_bytes()).unwrap();
    let expected = b"HTTP/1.1 100 Continue\r\n\r\n";
    let mut told = vec![0; expected.len()];
    stream.read_exact(&mut told).unwrap();
    assert_eq!(told, expected);
    stream.write_all(body.as_bytes()).unwrap();
    assert_eq!(read_answer(&mut stream).json()["accepted"], 1);
    world.close();
}

#[test]
fn a_small_body_that_is_refused_leaves_the_connection_open_and_a_large_one_does_not() {
    let world = World::with(|settings, _| settings.limits.ingest_requests_max = 0);
    let mut stream = world.connect();
    for length in [64 << 10, 100] {
        stream.write_all(slow(length).as_bytes()).unwrap();
        stream.write_all(&vec![b' '; length]).unwrap();
        let refused = read_answer(&mut stream);
        assert_eq!((refused.status, refused.header("connection")), (429, None));
    }
    stream.write_all(slow((64 << 10) + 1).as_bytes()).unwrap();
    let refused = read_answer(&mut stream);
    assert_eq!((refused.status, refused.header("connection")), (429, Some("close")));
    world.close();
}

#[test]
fn bytes_in_flight_are_bounded_too() {
    let world = World::with(|settings, _| settings.limits.ingest_bytes_max = 64 << 10);
    let mut first = world.connect();
    first.write_all(slow(60 << 10).as_bytes()).unwrap();
    while !world.get("/metrics").body.contains("millrace_inbox_depth{kind=\"ingest\"} 1") {
        std::thread::sleep(Duration::from_millis(10));
    }
    let mut second = world.connect();
    second.write_all(slow(20 << 10).as_bytes()).unwrap();
    assert_eq!(read_answer(&mut second).status, 429);
    drop(first);
    world.close();
}

#[test]
fn a_full_inbox_is_told_and_nothing_of_the_request_is_taken() {
    let world = World::with(|_, live| live.inbox_max = 1);
    let statuses = std::thread::scope(|scope| {
        let send = |thread: u32| {
            let world = &world;
            move || {
                let post = |n: u32| world.lines(&order(thread * 1_000 + n, n % 60, "a", "1"));
                (0..40).map(post).map(|a| (a.status, a.header("retry-after").is_some())).collect()
            }
        };
        let threads: Vec<_> = (0..8).map(|thread| scope.spawn(send(thread))).collect();
        let joined = threads.into_iter().map(|t| t.join().unwrap());
        joined.collect::<Vec<Vec<(u16, bool)>>>().concat()
    });
    assert!(statuses.iter().all(|s| matches!(s, (200, false) | (429, true))), "{statuses:?}");
    let taken = statuses.iter().filter(|s| s.0 == 200).count();
    let read = loop {
        let read = world.get("/v1/features/spending/a?at=2026-01-05T12:01:00Z");
        if read.status == 200 {
            break read.json();
        }
    };
    assert_eq!(read["values"]["orders_1h"]["value"], taken);
    world.close();
}

#[test]
fn bodies_that_are_too_large_or_too_slow_are_refused() {
    let world = World::with(|settings, _| {
        settings.limits.events_body_max = 4 << 10;
        settings.limits.body_max = 1 << 10;
        settings.limits.body_timeout = Duration::from_millis(300);
    });
    let mut stream = world.connect();
    stream.write_all(slow(4_097).as_bytes()).unwrap();
    let refused = read_answer(&mut stream);
    assert_eq!((refused.status, refused.code().as_str()), (413, "body_too_large"));
    // One that does not say its length is cut off when it is too long.
    let mut stream = world.connect();
    let head = slow(0).replace("content-length: 0", "transfer-encoding: chunked");
    stream.write_all(head.as_bytes()).unwrap();
    let chunk = " ".repeat(2_048);
    for _ in 0..3 {
        let _ = stream.write_all(format!("800\r\n{chunk}\r\n").as_bytes());
    }
    assert_eq!(read_answer(&mut stream).code(), "body_too_large");
    let refused = world.json("/v1/features", &" ".repeat(1_025));
    assert_eq!((refused.status, refused.code().as_str()), (413, "body_too_large"));

    let mut stream = world.connect();
    stream.write_all(slow(100).as_bytes()).unwrap();
    let begun = Instant::now();
    let refused = read_answer(&mut stream);
    assert_eq!((refused.status, refused.code().as_str()), (408, "body_timeout"));
    assert!(begun.elapsed() < Duration::from_secs(10));
    world.close();
}

#[test]
fn slow_heads_and_one_connection_too_many_are_closed() {
    let world = World::with(|settings, _| {
        settings.limits.connections_max = 2;
        settings.limits.header_timeout = Duration::from_millis(300);
    });
    let mut slow = world.connect();
    slow.write_all(b"GET /healthz HT").unwrap();
    let mut rest = Vec::new();
    slow.read_to_end(&mut rest).unwrap();
    let idle: Vec<_> = (0..2).map(|_| world.connect()).collect();
    std::thread::sleep(Duration::from_millis(100));
    let mut third = world.connect();
    let mut told = Vec::new();
    let _ = third.read_to_end(&mut told);
    assert!(told.starts_with(b"HTTP/1.1 503 "), "{}", String::from_utf8_lossy(&told));
    drop(idle);
    world.close();
}

#[test]
fn heads_are_bounded() {
    let world = World::new();
    let head = |bytes: usize| {
        let filler = "x".repeat(bytes);
        format!("GET /healthz HTTP/1.1\r\nhost: localhost\r\nfiller: {filler}\r\n\r\n")
    };
    assert_eq!(world.exchange(&head(8 << 10), b"").status, 200);
    let mut stream = world.connect();
    let _ = stream.write_all(head(64 << 10).as_bytes());
    let mut told = Vec::new();
    let _ = stream.read_to_end(&mut told);
    let told = String::from_utf8_lossy(&told);
    assert!(told.is_empty() || told.starts_with("HTTP/1.1 431 "), "{told}");
    world.close();
}

#[test]
fn a_client_that_does_not_read_its_answers_is_left() {
    let world = World::with(|settings, _| {
        settings.limits.write_timeout = Duration::from_millis(300);
    });
    let mut stream = world.connect();
    stream.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
    // Far more answers than the buffers between us hold.
    let requests = "GET /v1/openapi.json HTTP/1.1\r\nhost: localhost\r\n\r\n".repeat(10_000);
    let _ = stream.write_all(requests.as_bytes());
    let begun = Instant::now();
    while !world.get("/metrics").body.contains("\nmillrace_http_connections 1\n") {
        assert!(begun.elapsed() < Duration::from_secs(30), "it is still connected");
        std::thread::sleep(Duration::from_millis(50));
    }
    world.close();
}

#[test]
fn an_event_is_fresh_when_it_can_be_read_however_many_wait_before_it() {
    const HELD: Duration = Duration::from_millis(700);
    let world = World::new();
    let release = world.hold_engine();
    // More than a read waits for.
    for _ in 0..100 {
        world.deliver_nothing();
    }
    std::thread::scope(|scope| {
        let sending = scope.spawn(|| world.lines(&order(1, 1, "a", "1")).json());
        std::thread::sleep(Duration::from_millis(300));
        // This read is answered before the event is applied, and then nothing is for a while.
        let (held, answered) = std::sync::mpsc::channel();
        let reply = Box::new(move |_| {
            std::thread::sleep(HELD);
            held.send(()).unwrap();
        });
        world.live.read(Vec::new(), reply).unwrap();
        drop(release);
        answered.recv().unwrap();
        assert_eq!(sending.join().unwrap()["accepted"], 1);
    });
    let metrics = world.get("/metrics").body;
    let line = metrics.lines().find(|l| l.starts_with("millrace_freshness_seconds_sum")).unwrap();
    let seconds: f64 = line.rsplit(' ').next().unwrap().parse().unwrap();
    assert!(seconds >= HELD.as_secs_f64(), "{line}");
    world.close();
}
