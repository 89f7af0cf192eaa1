use tempfile::tempdir;

use crate::program::{fail, succeed};

#[test]
fn mistakes_in_the_configuration_name_the_line_and_the_fix() {
    let folder = tempdir().unwrap();
    succeed(folder.path(), &["init"]);
    let with = |text: &str| {
        std::fs::write(folder.path().join("millrace.toml"), text).unwrap();
        fail(folder.path(), &["check"], 2)
    };
    let said = with("[storage]\ncheckpoint_evry = \"1s\"\n");
    assert!(
        said.contains("millrace.toml:2: unknown key `checkpoint_evry`; did you mean"),
        "{said}"
    );
    let said = with("[storage\n");
    assert!(said.contains("millrace.toml:1: "), "{said}");
    let said = with("[streams.paymets]\nfiles = [\"a.ndjson\"]\n");
    assert!(said.contains("did you mean `payments`?"), "{said}");
    let said = with("[engine]\ninbox_max = 0\n");
    assert!(said.contains("engine.inbox_max is 0 and must be at least 1"), "{said}");
}
