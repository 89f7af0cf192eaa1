use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use millrace_api::{ServeError, Server, Settings};
use millrace_event::EventTime;
use millrace_store::{Access, FileDisk, Keys};

use crate::world::{World, plan};

fn with_headers(world: &World, path: &str, headers: &str) -> (u16, String) {
    let answered = world.exchange(&format!("GET {path} HTTP/1.1\r\n{headers}\r\n"), b"");
    let code = if answered.status == 200 { String::new() } else { answered.code() };
    (answered.status, code)
}

#[test]
fn foreign_hosts_and_origins_are_refused_on_every_route() {
    let world = World::with(|settings, _| {
        settings.hosts = vec!["shop.example".to_owned()];
        settings.origins = vec!["https://console.example".to_owned()];
    });
    for path in ["/healthz", "/metrics", "/v1/definitions", "/v1/features/spending/a", "/nowhere"] {
        let host = |host: &str| with_headers(&world, path, &format!("host: {host}\r\n"));
        for foreign in ["evil.example", "127.0.0.1.evil.example", ""] {
            assert_eq!(host(foreign), (421, "host_refused".to_owned()), "{path} {foreign}");
        }
        assert_eq!(with_headers(&world, path, "").1, "host_refused");
        assert_ne!(host("shop.example:443").0, 421);
        for origin in ["https://evil.example", "null", "http://localhost"] {
            let headers = format!("host: localhost\r\norigin: {origin}\r\n");
            let refused = (403, "origin_refused".to_owned());
            assert_eq!(with_headers(&world, path, &headers), refused, "{path} {origin}");
        }
    }
    let headers = "host: localhost\r\norigin: https://console.example\r\n";
    assert_eq!(with_headers(&world, "/v1/definitions", headers).0, 200);
    let whole = |host: &str| with_headers(&world, &format!("http://{host}/healthz"), headers);
    assert_eq!(whole("shop.example").0, 200);
    assert_eq!(whole("evil.example"), (421, "host_refused".to_owned()));
    let allowed = world.exchange(&format!("GET /healthz HTTP/1.1\r\n{headers}\r\n"), b"");
    let page = Some("https://console.example");
    assert_eq!(allowed.header("access-control-allow-origin"), page);
    let asked = "access-control-request-method: POST\r\n";
    let preflight = format!("OPTIONS /v1/features HTTP/1.1\r\n{headers}{asked}\r\n");
    let mut stream = world.connect();
    stream.write_all(preflight.as_bytes()).unwrap();
    let mut told = [0; 1_024];
    let got = stream.read(&mut told).unwrap();
    let told = String::from_utf8_lossy(&told[..got]).to_lowercase();
    assert!(told.starts_with("http/1.1 204 "), "{told}");
    assert!(told.contains("access-control-allow-headers: authorization, content-type"), "{told}");
    let answered = world.get("/v1/definitions");
    assert!(!answered.head.to_ascii_lowercase().contains("access-control"));
    world.close();
}

#[test]
fn where_there_are_keys_every_request_needs_one_and_a_revoked_one_soon_opens_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("data");
    let keys = || Keys::open(Arc::new(FileDisk::open(&dir, Access::Keys).unwrap())).unwrap();
    let key = keys().create("laptop", "risk", EventTime(0)).unwrap().reveal().to_owned();
    let world = World::on(folder, |_, _| {});
    let get = |path: &str, authorization: &str| {
        with_headers(&world, path, &format!("host: localhost\r\n{authorization}")).0
    };
    let right = format!("authorization: Bearer {key}\r\n");
    let wrong = [
        String::new(),
        format!("authorization: Bearer {}0\r\n", &key[..key.len() - 1]),
        format!("authorization: Basic {key}\r\n"),
        format!("authorization: {key}\r\n"),
        format!("x-api-key: {key}\r\n"),
        format!("authorization: Bearer x\r\n{right}"),
    ];
    for path in ["/metrics", "/v1/definitions", "/v1/dead-letters", "/v1/openapi.json"] {
        assert_eq!(get(path, &right), 200, "{path}");
        for wrong in &wrong {
            assert_eq!(get(path, wrong), 401, "{path} {wrong}");
        }
        assert_eq!(get(&format!("{path}?key={key}"), ""), 401);
    }
    assert_eq!((get("/healthz", ""), get("/readyz", "")), (200, 200));
    let refused = world.get("/v1/definitions");
    assert_eq!(
        (refused.code().as_str(), refused.header("www-authenticate")),
        ("unauthorized", Some("Bearer"))
    );
    keys().revoke("laptop").unwrap();
    let is_closed = (0..100).any(|_| {
        std::thread::sleep(Duration::from_millis(100));
        get("/metrics", &right) == 401
    });
    assert!(is_closed, "the revoked key still opens");
    // That there is no key left does not open the server, now or after another start.
    assert_eq!(get("/metrics", ""), 401);
    let (_, folder) = world.close();
    let world = World::on(folder, |_, _| {});
    let get = |path: &str| with_headers(&world, path, "host: localhost\r\n").0;
    assert_eq!((get("/metrics"), get("/healthz")), (401, 200));
    let (_, folder) = world.close();
    for name in ["keys.json", "pepper"] {
        std::fs::remove_file(folder.path().join("data").join(name)).unwrap();
    }
    let world = World::on(folder, |_, _| {});
    assert_eq!(world.get("/metrics").status, 200);
    world.close();
}

#[test]
fn an_address_that_others_reach_is_refused_without_a_key() {
    let folder = tempfile::tempdir().unwrap();
    let listen: SocketAddr = "0.0.0.0:0".parse().unwrap();
    let settings = Settings { listen, ..Settings::local(folder.path().join("data")) };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let started = runtime.block_on(Server::start(plan(), settings));
    let error = started.unwrap_err();
    assert!(matches!(error, ServeError::Open { .. }));
    assert!(error.to_string().contains("millrace key create"));
}
