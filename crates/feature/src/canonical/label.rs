use millrace_event::Schema;

use crate::plan::{DefinitionHash, Label, LabelSource};

use super::{Columns, Form, events, hex};

pub(crate) fn label<'a>(label: &Label, schema: &impl Fn(usize) -> &'a Schema) -> DefinitionHash {
    let mut form = Form::default();
    form.part("label").text(&label.name).part(label.matures.0);
    form.part("positive").text(&source(label, &label.positive, schema));
    if let Some(among) = &label.among {
        form.part("among").text(&source(label, among, schema));
    }
    form.hash()
}

/// The events of both streams, by the field that joins them.
fn source<'a>(
    label: &Label,
    source: &LabelSource,
    schema: &impl Fn(usize) -> &'a Schema,
) -> String {
    let other = schema(source.stream);
    let mut form = Form::default();
    form.part(hex(&events(schema(label.stream), &[source.by_own])));
    form.part(hex(&events(other, &[source.by_other])));
    if let Some(filter) = &source.filter {
        form.part(hex(&Columns::of_stream(other).expression(filter)));
    }
    form.0
}
