//! The paths that a file names: its `use` trees and the paths in its code, each from the root of the crate.

use std::collections::BTreeSet;

use super::source::{Source, Token, end_of_group, is_at};

/// A module or an item, as the names that lead to it from the root of the crate.
pub type Path = Vec<String>;

/// A path that is named.
#[derive(Debug)]
pub struct Import {
    pub path: Path,
    /// The name it has from then on in this file; none for a path in code, `*` for all names in it.
    pub name: Option<String>,
    pub line: usize,
    pub test: bool,
}

/// All paths in a file that is the module `home`; those that lead to other crates begin with their name.
pub fn imports(source: &Source, home: &[String]) -> Vec<Import> {
    let tokens = &source.tokens;
    let (mut found, mut at) = (Vec::new(), 0);
    // The inline modules around this place, with the end of each.
    let mut inside: Vec<(String, usize)> = Vec::new();
    while at < tokens.len() {
        inside.retain(|(_, end)| at < *end);
        let here: Path = home.iter().chain(inside.iter().map(|(name, _)| name)).cloned().collect();
        if is_at(tokens, at, "mod") && is_at(tokens, at + 2, "{") {
            inside.push((tokens[at + 1].text.clone(), end_of_group(tokens, at + 2)));
            at += 3;
        } else if is_at(tokens, at, "use") {
            at = use_tree(tokens, at + 1, &Vec::new(), &here, &mut found);
        } else if is_word(&tokens[at])
            && is_at(tokens, at + 1, "::")
            && !(at > 0 && is_at(tokens, at - 1, "::"))
        {
            let (path, end) = names(tokens, at);
            push(&mut found, &tokens[at], path, None, &here);
            at = end;
        } else {
            at += 1;
        }
    }
    resolve_parts(&mut found, tokens, home);
    resolve_short(&mut found);
    found
}

/// Reads one branch of a `use` tree and returns its end.
fn use_tree(tokens: &[Token], at: usize, before: &Path, here: &[String], found: &mut Vec<Import>) -> usize {
    let (tail, mut end) = names(tokens, at);
    let path: Path = before.iter().cloned().chain(tail).collect();
    let last = path.last().cloned();
    if is_at(tokens, end, "{") {
        let close = end_of_group(tokens, end);
        end += 1;
        while end < close - 1 {
            end = use_tree(tokens, end, &path, here, found);
            end += usize::from(is_at(tokens, end, ","));
        }
        return close;
    }
    if is_at(tokens, end, "*") {
        push(found, &tokens[at], path, Some("*".to_owned()), here);
        return end + 1;
    }
    let name = if is_at(tokens, end, "as") {
        end += 2;
        tokens.get(end - 1).map(|token| token.text.clone())
    } else if last.as_deref() == Some("self") {
        path.iter().rev().nth(1).cloned()
    } else {
        last
    };
    push(found, &tokens[at], path, name, here);
    end.max(at + 1)
}

/// The names from `at` on that `::` joins, and the place behind them and a last `::`.
fn names(tokens: &[Token], mut at: usize) -> (Path, usize) {
    at += usize::from(is_at(tokens, at, "::"));
    let mut path = Vec::new();
    while tokens.get(at).is_some_and(is_word) {
        path.push(tokens[at].text.clone());
        if !is_at(tokens, at + 1, "::") {
            return (path, at + 1);
        }
        at += 2;
    }
    (path, at)
}

fn is_word(token: &Token) -> bool {
    token.text.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

fn push(found: &mut Vec<Import>, token: &Token, path: Path, name: Option<String>, here: &[String]) {
    let mut from_root: Path = match path.first().map(String::as_str) {
        Some("self" | "super") => here.to_vec(),
        _ => Vec::new(),
    };
    for (at, part) in path.into_iter().enumerate() {
        match part.as_str() {
            "super" => drop(from_root.pop()),
            "self" => {}
            "crate" | "torr" if at == 0 => from_root.push("crate".to_owned()),
            _ => from_root.push(part),
        }
    }
    found.push(Import { path: from_root, name, line: token.line, test: token.test });
}

/// A path that begins with a module declared in this file leads into it.
fn resolve_parts(found: &mut [Import], tokens: &[Token], home: &[String]) {
    let declared =
        tokens.windows(3).filter(|t| t[0].text == "mod" && matches!(t[2].text.as_str(), ";" | "{"));
    let parts: BTreeSet<&str> = declared.map(|t| t[1].text.as_str()).collect();
    for import in found
        .iter_mut()
        .filter(|import| import.path.first().is_some_and(|first| parts.contains(first.as_str())))
    {
        import.path.splice(0..0, home.iter().cloned());
    }
}

/// A path in code that begins with an imported name goes on from where that name leads.
fn resolve_short(found: &mut [Import]) {
    for at in 0..found.len() {
        let Some(first) = found[at].path.first().filter(|_| found[at].name.is_none()).cloned() else {
            continue;
        };
        let named =
            found.iter().find(|import| import.name.as_ref() == Some(&first) && import.path[0] == "crate");
        if let Some(start) = named.map(|import| import.path.clone()) {
            found[at].path.splice(0..1, start);
        }
    }
}

mod tests {
    use super::*;

    /// The paths of a text in the module `crate::swarm::seeker`.
    fn paths(text: &str) -> Vec<String> {
        let home = ["crate", "swarm", "seeker"].map(str::to_owned);
        let source = Source::new(std::path::Path::new("planted.rs"), text);
        imports(&source, &home).into_iter().map(|import| import.path.join("::")).collect()
    }

    #[test]
    fn nested_groups_are_unfolded() {
        assert_eq!(
            paths("pub use crate::{base::{self, Piece as P}, face::cli::*};"),
            ["crate::base", "crate::base::Piece", "crate::face::cli"]
        );
    }

    #[test]
    fn relative_paths_lead_from_the_root() {
        assert_eq!(paths("use super::super::face;"), ["crate::face"]);
        assert_eq!(paths("use self::{hunt::Hunt};"), ["crate::swarm::seeker::hunt::Hunt"]);
        assert_eq!(
            paths("mod tests { use super::*; use super::super::pex; } use super::pex;"),
            ["crate::swarm::seeker", "crate::swarm::pex", "crate::swarm::pex"]
        );
    }

    #[test]
    fn paths_in_code_are_found() {
        assert_eq!(
            paths("fn f() { crate::a::b::f(); $crate::c::d!(); Vec::<u8>::new() }"),
            ["crate::a::b::f", "crate::c::d", "Vec"]
        );
        assert_eq!(
            paths("use crate::face; fn f() { face::cli::main() }"),
            ["crate::face", "crate::face::cli::main"]
        );
    }

    #[test]
    fn paths_into_parts_are_found() {
        assert_eq!(paths("mod hunt; pub use hunt::Hunt;"), ["crate::swarm::seeker::hunt::Hunt"]);
    }

    #[test]
    fn an_upward_import_after_a_test_module_is_found() {
        assert_eq!(
            paths("#[cfg(test)]\nmod scenarios;\nuse crate::engine::Handle;"),
            ["crate::engine::Handle"]
        );
    }
}
