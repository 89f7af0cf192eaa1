//! Addresses to listen on, as people write them: `127.0.0.1:7878`, `localhost:7878`.

use std::net::{Ipv4Addr, SocketAddr};

use serde::{Deserialize, Deserializer, de};

/// # Errors
/// What to write instead.
pub fn parse(text: &str) -> Result<SocketAddr, String> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let (host, port) = text.rsplit_once(':').unwrap_or(("", text));
    let Ok(port) = port.parse::<u16>() else {
        return Err("write an address and a port, such as 127.0.0.1:7878".to_owned());
    };
    if host.eq_ignore_ascii_case("localhost") {
        return Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    }
    // A name may mean several addresses, and which of them others can reach is no guess to make.
    Err(match host {
        "" | "*" => format!(
            "say which address: 127.0.0.1:{port} for this machine alone, 0.0.0.0:{port} for all"
        ),
        _ => format!("write the address of `{host}` in numbers, such as 127.0.0.1:{port}"),
    })
}

/// For serde's `deserialize_with`.
pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<SocketAddr, D::Error> {
    let text = String::deserialize(from)?;
    parse(&text).map_err(|fix| de::Error::custom(format!("`{text}` is no address; {fix}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn localhost_is_an_address_and_other_names_are_told_what_to_write() {
        assert_eq!(parse("127.0.0.1:0"), Ok(SocketAddr::from(([127, 0, 0, 1], 0))));
        assert_eq!(parse("Localhost:8080"), Ok(SocketAddr::from(([127, 0, 0, 1], 8080))));
        assert!(parse("[::1]:8080").is_ok());
        for (text, fix) in [
            ("8080", "127.0.0.1:8080 for this machine alone"),
            (":8080", "0.0.0.0:8080 for all"),
            ("box.example:8080", "such as 127.0.0.1:8080"),
            ("localhost", "an address and a port"),
            ("localhost:99999", "an address and a port"),
        ] {
            let told = parse(text).unwrap_err();
            assert!(told.contains(fix), "{text}: {told}");
        }
    }
}
