//! The tree of modules, and the file that defines what a path leads to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use super::imports::{Import, Path, imports};
use super::source::{Source, files_below, is_at};

/// How many names may stand for one another before it is taken for a circle of names.
const MAX_RENAMES: usize = 20;

/// The library as it is.
pub static MODULES: LazyLock<Modules> = LazyLock::new(Modules::read);

/// All modules of the library by path, each file with what it imports and defines.
pub struct Modules {
    files: BTreeMap<Path, Module>,
}

pub struct Module {
    pub source: Source,
    pub imports: Vec<Import>,
    defines: BTreeSet<String>,
}

impl Modules {
    /// Reads `src/`, except for the program itself.
    fn read() -> Self {
        let paths = files_below(std::path::Path::new("src"));
        Self::new(paths.iter().filter(|path| !path.ends_with("main.rs")).map(|path| Source::read(path)))
    }

    pub fn new(sources: impl IntoIterator<Item = Source>) -> Self {
        let mut files: BTreeMap<Path, Module> = BTreeMap::new();
        for source in sources {
            let home = home(&source.path);
            let defines = defines(&source);
            files.insert(home.clone(), Module { imports: imports(&source, &home), defines, source });
        }
        let mut modules = Self { files };
        modules.mark_test_modules();
        modules
    }

    pub fn files(&self) -> impl Iterator<Item = (&Path, &Module)> {
        self.files.iter()
    }

    /// The files that one imports outside tests, each with the line; not what is above or below it in the tree.
    pub fn imported_by(&self, home: &Path) -> Vec<(usize, &Path)> {
        let named = self.files[home].imports.iter().filter(|import| !import.test);
        let found = named.filter_map(|import| Some((import.line, self.definition(&import.path)?)));
        found.filter(|(_, to)| !to.starts_with(home) && !home.starts_with(to)).collect()
    }

    /// The module of the file in which a path ends, through whatever names it was given on the way.
    fn definition(&self, path: &[String]) -> Option<&Path> {
        self.definition_within(path, MAX_RENAMES)
    }

    fn definition_within(&self, path: &[String], renames: usize) -> Option<&Path> {
        let known = (1..=path.len()).rev().find(|&len| self.files.contains_key(&path[..len]))?;
        let (home, module) = self.files.get_key_value(&path[..known])?;
        let Some(name) = path.get(known).filter(|_| renames > 0) else { return Some(home) };
        if module.defines.contains(name) {
            return Some(home);
        }
        let named = |import: &&Import| {
            import.path[..] != path[..=known] && import.path.first().is_some_and(|p| p == "crate")
        };
        let by_name = module.imports.iter().filter(named).find(|import| import.name.as_ref() == Some(name));
        if let Some(import) = by_name {
            let goes_on: Path = import.path.iter().chain(&path[known + 1..]).cloned().collect();
            return self.definition_within(&goes_on, renames - 1);
        }
        let globs = module.imports.iter().filter(named).filter(|import| import.name.as_deref() == Some("*"));
        let by_glob = globs.filter_map(|import| {
            let goes_on: Path = import.path.iter().chain(&path[known..]).cloned().collect();
            let found = self.definition_within(&goes_on, renames - 1)?;
            self.files[found].defines.contains(name).then_some(found)
        });
        Some(by_glob.into_iter().next().unwrap_or(home))
    }

    /// A file is test code if a line above it says so: `#[cfg(test)] mod scenarios;`.
    fn mark_test_modules(&mut self) {
        let mut marked: BTreeSet<Path> = BTreeSet::new();
        for (home, module) in &self.files {
            let tokens = &module.source.tokens;
            let declared = (0..tokens.len())
                .filter(|&at| tokens[at].test && is_at(tokens, at, "mod") && is_at(tokens, at + 2, ";"));
            marked.extend(
                declared.map(|at| home.iter().chain([&tokens[at + 1].text]).cloned().collect::<Path>()),
            );
        }
        for (home, module) in &mut self.files {
            if (1..=home.len()).any(|len| marked.contains(&home[..len])) {
                module.source.mark_as_test();
                module.imports.iter_mut().for_each(|import| import.test = true);
            }
        }
    }
}

/// The path of the module in a file: `src/net/peer/mod.rs` is `crate::net::peer`.
fn home(path: &std::path::Path) -> Path {
    let inner = path.strip_prefix("src").unwrap_or(path).with_extension("");
    let names = inner.iter().map(|name| name.to_string_lossy().into_owned());
    std::iter::once("crate".to_owned()).chain(names.filter(|name| name != "mod" && name != "lib")).collect()
}

/// The names a file gives to things of its own.
fn defines(source: &Source) -> BTreeSet<String> {
    let keywords = ["fn", "struct", "enum", "union", "trait", "type", "const", "static", "mod"];
    let pairs = source.tokens.windows(2);
    pairs.filter(|pair| keywords.contains(&pair[0].text.as_str())).map(|pair| pair[1].text.clone()).collect()
}
