use crate::plan::{Decision, DefinitionHash, Model, View};

use super::{Columns, Form, hex};

/// The declaration; what the file holds is no part of the project's text.
pub(crate) fn model(model: &Model, view: &View) -> DefinitionHash {
    let mut form = Form::default();
    form.part("model").text(&model.name).text(&model.file).part(hex(&view.hash));
    form.hash()
}

/// With the vector and the models that it stands on. Reasons count: they are a part of the answer.
pub(crate) fn decision(decision: &Decision, view: &View, models: &[Model]) -> DefinitionHash {
    let mut form = Form::default();
    form.part("decision").text(&decision.name).part(hex(&view.hash));
    let mut columns: Vec<String> =
        view.columns.iter().map(|column| format!("column {}", column.name)).collect();
    for (role, all) in [("scores", &decision.scores), ("shadows", &decision.shadows)] {
        form.part(role).part(all.len());
        for model in all.iter().filter_map(|at| models.get(*at)) {
            form.part(hex(&model.hash));
        }
    }
    let scores = decision.scores.iter().filter_map(|at| models.get(*at));
    columns.extend(scores.map(|model| format!("score {}", model.name)));
    let columns = Columns(columns);
    for rule in &decision.rules {
        form.part(rule.outcome).text(&rule.reason).part(hex(&columns.expression(&rule.condition)));
    }
    form.part("else").part(decision.otherwise);
    form.hash()
}
