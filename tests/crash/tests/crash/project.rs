//! The project that is served: definitions, configuration, and a place for its data.

use std::path::PathBuf;
use std::sync::Arc;

use millrace_feature::plan::Plan;
use millrace_feature::{SourceFile, compile};
use tempfile::TempDir;

const DEFINITIONS: &str = r#"
entity card, device
entity shop : int

stream pay {
  id     : string id
  at     : timestamp time, late 15m
  card   : card
  device : device
  shop   : shop
  amount : decimal(2)
  rate   : float
  ok     : bool
}

features by_card by card from pay {
  n      = count() over 1m, 1h
  spend  = sum(amount) over 10m
  most   = max(amount) over 1h
  mean   = mean(rate) over 30m
  kinds  = distinct(device) over 1h
  last   = last(amount)
  failed = count() where not ok over 5m
  share  = failed / n[1h]
}

features by_device by device from pay {
  n     = count() over 2m
  least = min(amount)  over 1h
  cards = distinct(card) over 1h
}

features by_pair by device, shop from pay {
  first = first(at)
  n     = count() over 1h
}

features by_shop by shop from pay {
  turnover = sum(amount) over 1h
  ever     = count()
}
"#;

/// So little memory for key states that most are on the disk only.
const CONFIGURATION: &str = r#"
[engine]
memory_max = "1MiB"

[storage]
dir = "data"
checkpoint_every = "200ms"
"#;

#[derive(Debug)]
pub struct Project {
    pub folder: TempDir,
    pub plan: Arc<Plan>,
}

impl Project {
    pub fn new() -> Project {
        let folder = tempfile::tempdir().expect("there is room for a test");
        let write = |name: &str, text: &str| {
            std::fs::write(folder.path().join(name), text).expect("there is room for a test");
        };
        write("project.mill", DEFINITIONS);
        write("millrace.toml", CONFIGURATION);
        let compiled = compile(&[SourceFile::new("project.mill", DEFINITIONS)]);
        let said = format!("{:?}", compiled.diagnostics);
        Project { folder, plan: Arc::new(compiled.plan.expect(&said)) }
    }

    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }
}
