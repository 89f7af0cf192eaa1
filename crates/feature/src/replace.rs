//! A project with some of its declarations replaced, to try out a change.

use std::collections::BTreeSet;

use crate::parser::text_to_tree;
use crate::resolve::Report;
use crate::source::SourceFile;
use crate::tree::{NodeId, NodeKind, Tree};

/// Adds a file to a project; what it declares takes the place of what the project declares by the
/// same name. In the project's texts, spaces stand where that was, so that every place in them stays
/// what it is. Entities and tests are not replaced.
pub fn replace(sources: &[SourceFile], by: SourceFile) -> Vec<SourceFile> {
    let tree = tree_of(&by.text);
    let names: BTreeSet<&str> =
        declarations(&tree).filter_map(|id| name_of(&tree, &by.text, id)).collect();
    let without = |source: &SourceFile| {
        let tree = tree_of(&source.text);
        let mut text = source.text.to_string();
        for id in declarations(&tree) {
            if name_of(&tree, &source.text, id).is_some_and(|name| names.contains(name)) {
                let node = tree.node(id);
                blank(&mut text, node.start as usize, node.end as usize);
            }
        }
        SourceFile::new(source.name.to_string(), text)
    };
    let mut all: Vec<SourceFile> = sources.iter().map(without).collect();
    all.push(by);
    all
}

/// Whether a file declares something of this name: what [`replace`] would put in the place of another.
pub fn declares(source: &SourceFile, name: &str) -> bool {
    let tree = tree_of(&source.text);
    declarations(&tree).any(|id| name_of(&tree, &source.text, id) == Some(name))
}

fn tree_of(text: &str) -> Tree {
    // What does not parse is told when all is compiled.
    text_to_tree(0, text, &mut Report::default().sink)
}

/// What has a name in the one space that streams, groups, views, labels, models and decisions share.
fn declarations(tree: &Tree) -> impl Iterator<Item = NodeId> + '_ {
    tree.nodes(tree.root()).filter(|id| {
        matches!(
            tree.node(*id).kind,
            NodeKind::StreamDeclaration
                | NodeKind::GroupDeclaration
                | NodeKind::ViewDeclaration
                | NodeKind::LabelDeclaration
                | NodeKind::ModelDeclaration
                | NodeKind::DecisionDeclaration
        )
    })
}

fn name_of<'t>(tree: &Tree, text: &'t str, id: NodeId) -> Option<&'t str> {
    let name = tree.nodes(id).find(|child| tree.node(*child).kind == NodeKind::Name)?;
    let node = tree.node(name);
    text.get(node.start as usize..node.end as usize)
}

/// Puts a space for each byte but those that end lines.
fn blank(text: &mut String, start: usize, end: usize) {
    let blanks: String = text
        .get(start..end)
        .unwrap_or_default()
        .bytes()
        .map(|byte| if byte == b'\n' { '\n' } else { ' ' })
        .collect();
    text.replace_range(start..end, &blanks);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{compile, render};

    const PROJECT: &str = "entity card\nstream pay {\n  id : string id\n  at : timestamp time, late 1m\n  \
         card : card\n  amount : int\n}\nfeatures spend by card from pay {\n  n = count() over 1h\n}\n\
         view v on pay {\n  use spend\n  amount = amount\n}\n# été\ndecision d on v {\n  block when \
         amount > 5\n  else allow\n}\nview w on pay {\n  use spend\n}\n";

    #[test]
    fn a_declaration_takes_the_place_of_its_namesake() {
        let project = [SourceFile::new("a.mill", PROJECT)];
        let by = "decision d on v {\n  review when n_1h > 3\n  else allow\n}\n";
        let sources = replace(&project, SourceFile::new("new.mill", by));
        let compiled = compile(&sources);
        let plan = compiled.plan.expect("it compiles");
        assert_eq!((plan.decisions.len(), plan.views.len()), (1, 2));
        assert_eq!(&*plan.decisions[0].rules[0].reason, "n_1h > 3");
        assert_eq!(sources[0].text.len(), PROJECT.len());

        // What is wrong is told in the file that it is in.
        let wrong = "decision d on v {\n  review when x > 3\n  else allow\n}\n";
        let sources = replace(&project, SourceFile::new("new.mill", wrong));
        let told = render(&compile(&sources).diagnostics, &sources);
        assert!(told.contains("new.mill") && !told.contains("a.mill"), "{told}");
    }
}
