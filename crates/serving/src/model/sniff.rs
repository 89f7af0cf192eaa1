//! Which format a file has, by how it begins; those that people take for a model by mistake are
//! told by name.

use super::Format;
use crate::model::error::Fault;

const SAVE_JSON: &str = "save it with `booster.save_model(\"model.json\")`";
const SAVE_BOOSTER: &str = "save the booster itself: `booster.save_model(\"model.txt\")` of \
                            LightGBM, `booster.save_model(\"model.json\")` of XGBoost";
/// Bytes that an error repeats.
const SHOWN_BYTES: usize = 12;

/// Protobuf has no mark of its own. It begins with the first field that is set: the version of the
/// representation, a small number, and then one of the fields of a model.
fn is_onnx(bytes: &[u8]) -> bool {
    const VERSION: u8 = 0x08;
    // Producer, domain, versions, graph, operator sets, metadata.
    const NEXT: [u8; 8] = [0x12, 0x1a, 0x22, 0x28, 0x32, 0x3a, 0x42, 0x72];
    match bytes {
        [VERSION, 1..=31, next, ..] => NEXT.contains(next),
        _ => false,
    }
}

pub(super) fn format_of(bytes: &[u8]) -> Result<Format, Fault> {
    let text = bytes.trim_ascii_start();
    if bytes.starts_with(b"tree\n") || bytes.starts_with(b"tree\r\n") {
        return Ok(Format::LightGbm);
    }
    if let Some(inside) = text.strip_prefix(b"{") {
        let inside = inside.trim_ascii_start();
        if inside.starts_with(b"\"name\"") {
            let fix = "save it with `booster.save_model(\"model.txt\")`";
            return Err(Fault::OtherFormat { format: "LightGBM's JSON dump", fix });
        }
        if inside.starts_with(b"\"") || inside.starts_with(b"}") {
            return Ok(Format::XgBoost);
        }
        return Err(Fault::OtherFormat {
            format: "XGBoost's binary format UBJSON",
            fix: SAVE_JSON,
        });
    }
    if is_onnx(bytes) {
        return Ok(Format::Onnx);
    }
    let others: [(&[u8], &str, &str); 5] = [
        (b"[", "a JSON list, perhaps a dump of trees", SAVE_BOOSTER),
        (b"binf", "XGBoost's old binary format", SAVE_JSON),
        (b"bs64", "XGBoost's old binary format", SAVE_JSON),
        (b"\x80", "a Python pickle", SAVE_BOOSTER),
        (b"PK\x03\x04", "a zip archive", SAVE_BOOSTER),
    ];
    for (prefix, format, fix) in others {
        if bytes.starts_with(prefix) {
            return Err(Fault::OtherFormat { format, fix });
        }
    }
    if bytes.is_empty() {
        return Err(Fault::NotAModel { begins: "nothing, being empty".to_owned() });
    }
    let begins = bytes.get(..SHOWN_BYTES).unwrap_or(bytes).escape_ascii();
    Err(Fault::NotAModel { begins: format!("`{begins}`") })
}
