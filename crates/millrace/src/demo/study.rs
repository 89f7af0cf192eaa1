//! The offline engine over what the demo makes up.

use std::sync::Arc;

use millrace_feature::plan::Plan;

use super::feed::missing;
use crate::exit::Failure;
use crate::lift::source::Source;
use crate::lift::study::Study;
use crate::stop::Stop;

const MEMORY: usize = 1 << 30;

/// The events of a source, by a view of the plan and its label `fraud`.
pub fn study<'a>(
    name: &str,
    (plan, view): (&Arc<Plan>, usize),
    source: &'a dyn Source,
    stop: &'a Stop,
) -> Result<Study<'a>, Failure> {
    Ok(Study {
        name: name.to_owned(),
        plan: Arc::clone(plan),
        view,
        label: plan.label("fraud").ok_or_else(|| missing("fraud"))?,
        source,
        settings: millrace_stream::Settings::default(),
        threads: std::thread::available_parallelism().map_or(1, usize::from),
        memory: MEMORY,
        scratch: std::env::temp_dir(),
        stop,
    })
}
