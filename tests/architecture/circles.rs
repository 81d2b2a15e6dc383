//! Import circles between files.

use std::collections::{BTreeMap, BTreeSet};

use super::imports::Path;
use super::modules::{MODULES, Modules};

type Graph = BTreeMap<Path, BTreeSet<Path>>;

#[test]
fn files_import_one_another_in_no_circle() {
    let found: Vec<String> = circles(&MODULES)
        .iter()
        .map(|circle| format!("{}\n{}", circle.join(" ↔ "), imports_within(&MODULES, circle).join("\n")))
        .collect();
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

/// The files that reach one another by imports outside tests. A module and its own parts are one thing: an import
/// between them is no part of a circle.
fn circles(modules: &Modules) -> Vec<Vec<String>> {
    let mut graph = Graph::new();
    for (home, _) in modules.files() {
        graph.insert(home.clone(), modules.imported_by(home).into_iter().map(|(_, to)| to.clone()).collect());
    }
    let reached: Graph = graph.keys().map(|home| (home.clone(), reachable(&graph, home))).collect();
    let mut found: BTreeSet<Vec<String>> = BTreeSet::new();
    for (home, to) in reached.iter().filter(|(home, to)| to.contains(*home)) {
        found.insert(
            to.iter().filter(|other| reached[*other].contains(home)).map(|path| short(path)).collect(),
        );
    }
    found.into_iter().collect()
}

fn reachable(graph: &Graph, from: &Path) -> BTreeSet<Path> {
    let mut found = BTreeSet::new();
    let mut open = vec![from];
    while let Some(next) = open.pop() {
        for to in &graph[next] {
            if found.insert(to.clone()) {
                open.push(to);
            }
        }
    }
    found
}

/// The imports that make a circle, a line each.
fn imports_within(modules: &Modules, circle: &[String]) -> Vec<String> {
    let mut lines = Vec::new();
    for (home, module) in modules.files().filter(|(home, _)| circle.contains(&short(home))) {
        let inside = modules.imported_by(home).into_iter().filter(|(_, to)| circle.contains(&short(to)));
        lines.extend(
            inside.map(|(line, to)| module.source.complaint(line, &format!("imports {}", short(to)))),
        );
    }
    lines.dedup();
    lines
}

/// `engine/driver` for `crate::engine::driver`.
fn short(path: &[String]) -> String {
    path[1..].join("/")
}

mod tests {
    use super::*;
    use crate::architecture::source::Source;

    fn found(files: &[(&str, &str)]) -> Vec<String> {
        let sources = files.iter().map(|(path, text)| Source::new(std::path::Path::new(path), text));
        circles(&Modules::new(sources)).iter().map(|circle| circle.join(" ")).collect()
    }

    #[test]
    fn a_circle_of_three_is_found() {
        let files = [
            ("src/a.rs", "use crate::b::B; pub struct A;"),
            ("src/b.rs", "pub struct B; fn f() { super::c::f() }"),
            ("src/c.rs", "pub use self::inner::X; mod inner { use super::super::{a::A}; }"),
        ];
        assert_eq!(found(&files), ["a b c"]);
        assert_eq!(found(&files[..2]), [""; 0]);
    }

    #[test]
    fn a_name_that_is_passed_on_leads_to_its_file() {
        let files = [
            ("src/lib.rs", "mod m; pub use m::A;"),
            ("src/m/mod.rs", "mod a; mod b; pub use a::*; pub use self::b::B as C;"),
            ("src/m/a.rs", "use super::C; pub struct A;"),
            ("src/m/b.rs", "use crate::A; pub struct B;"),
        ];
        assert_eq!(found(&files), ["m/a m/b"]);
    }

    #[test]
    fn a_module_and_its_parts_make_no_circle() {
        let files = [
            ("src/m/mod.rs", "mod a; use a::A; pub struct M;"),
            ("src/m/a.rs", "use super::M; pub struct A;"),
        ];
        assert_eq!(found(&files), [""; 0]);
    }

    #[test]
    fn tests_make_no_circle() {
        let files = [
            ("src/a.rs", "use crate::b::B; pub struct A;"),
            ("src/b.rs", "pub struct B; #[cfg(test)] mod tests { use crate::a::A; }"),
        ];
        assert_eq!(found(&files), [""; 0]);
    }
}
