use std::os::unix::fs::PermissionsExt as _;

use tempfile::tempdir;

use crate::program::{fail, run, succeed};

#[test]
fn a_key_is_shown_once_listed_by_name_and_revoked() {
    let folder = tempdir().unwrap();
    assert!(succeed(folder.path(), &["key", "list"]).contains("there are no keys"));
    let made = run(folder.path(), &["key", "create", "laptop", "--team", "risk"]);
    let key = made.out.trim_end();
    assert!(key.starts_with("mr_") && key.len() == 67 && !key.contains('\n'), "{made:?}");
    assert!(!made.err.contains(key));

    let listed = succeed(folder.path(), &["key", "list"]);
    assert!(listed.contains("laptop") && listed.contains("risk") && !listed.contains("mr_"));
    let json = succeed(folder.path(), &["key", "list", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json[0]["name"], &json[0]["team"]), (&"laptop".into(), &"risk".into()));

    assert!(fail(folder.path(), &["key", "create", "laptop"], 1).contains("already"));
    fail(folder.path(), &["key", "create", "no blanks"], 2);
    succeed(folder.path(), &["key", "revoke", "laptop"]);
    fail(folder.path(), &["key", "revoke", "laptop"], 1);
    assert_eq!(succeed(folder.path(), &["key", "list", "--json"]).trim(), "[]");

    let data = folder.path().join(".millrace");
    assert_eq!(data.metadata().unwrap().permissions().mode() & 0o777, 0o700);
    let stored = std::fs::read_to_string(data.join("keys.json")).unwrap();
    assert!(!stored.contains(&key[3..]));
}
