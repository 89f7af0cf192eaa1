//! Bytes held per key that had eight events in its longest window, for integers and for strings as
//! ids, keys and members, in the live engine.
//!
//! ```text
//! cargo run --release -p millrace-stream --example key_size
//! ```

use std::error::Error;
use std::fmt::Write;
use std::sync::Arc;

use millrace_event::{Batch, Column, Data, EventTime, Span, Texts};
use millrace_feature::{SourceFile, compile};
use millrace_stream::{Engine, Settings, Sweep};

const KEYS: i64 = 20_000;
const EVENTS: i64 = 8;
/// Ids that a key's events keep while they can still be out of order: those of its last second.
const STEP: Span = Span(3_600_000_000);

fn main() -> Result<(), Box<dyn Error>> {
    let mut report = String::new();
    for (name, ty) in [("integers", "int"), ("strings", "string")] {
        let size = bytes_per_key(ty)?;
        writeln!(report, "{name}: {size} bytes per key of {EVENTS} events")?;
    }
    std::io::Write::write_all(&mut std::io::stdout(), report.as_bytes())?;
    Ok(())
}

fn definitions(ty: &str) -> String {
    format!(
        "entity card : {ty}
         stream payment {{
           event_id : {ty} id
           event_time : timestamp time, late 10s
           card_id : card
           merchant : {ty}
           amount : decimal(2)
         }}
         features card_windows by card_id from payment {{
           payments = count() over 10m, 1h, 24h
           spend = sum(amount) over 10m, 1h, 24h
           merchants = distinct(merchant) over 24h
         }}"
    )
}

fn bytes_per_key(ty: &str) -> Result<usize, Box<dyn Error>> {
    let compiled = compile(&[SourceFile::new("key_size.mill", definitions(ty))]);
    let plan = Arc::new(compiled.plan.ok_or("the definitions do not compile")?);
    let mut engine = Engine::new(Arc::clone(&plan), Settings::default(), [1; 16]);
    let partition = engine.partition(0, "memory");
    let text = |name: &str, numbers: &[i64]| {
        if ty == "int" {
            return Column::words(numbers.to_vec());
        }
        let mut texts = Texts::default();
        numbers.iter().for_each(|n| texts.push(&format!("{name}_{n:012}")));
        Column::with_marks(Data::Text(texts), None)
    };
    for event in 0..EVENTS {
        let keys: Vec<i64> = (0..KEYS).collect();
        let numbers: Vec<i64> = keys.iter().map(|key| event * KEYS + key).collect();
        let times: Vec<i64> = keys.iter().map(|key| event * STEP.0 + key).collect();
        let last = EventTime(times[times.len() - 1]);
        let merchants: Vec<i64> = keys.iter().map(|key| (key + event) % 40).collect();
        let batch = Batch {
            schema: Arc::clone(&plan.streams[0].schema),
            columns: vec![
                text("payment", &numbers),
                Column::words(times),
                text("card", &keys),
                text("merchant", &merchants),
                Column::words(numbers),
            ],
        };
        engine.apply(partition, &batch, last)?;
        engine.sweep(Sweep { keys: usize::MAX, spill: false });
    }
    let size = engine.group_size(0);
    Ok((size.state_bytes + size.table_bytes) / size.keys.max(1))
}
