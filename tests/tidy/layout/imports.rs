//! Finds the items that each file takes from other files, by following each `use` through
//! re-exports to the file that defines the item. It relies on the format of rustfmt, in which the
//! items and the `use` of a module begin in the first column.

use crate::source::{code_of, test_part_line};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The name of the library in the imports of its own binary and tests.
const LIBRARY: &str = "quorate";

/// The path of an item from the root of its crate: the names of its modules, and the item itself.
type Names = Vec<String>;

/// A file, as a module of its crate.
struct Module {
    file: PathBuf,
    /// The names of the items that the file defines, except modules.
    defined: BTreeSet<String>,
    /// The names that the file's `use` declarations bind, with the paths that they stand for.
    bound: BTreeMap<String, Names>,
    /// The paths of the items that it uses.
    taken: Vec<Names>,
}

/// The modules of a crate by their paths.
#[derive(Default)]
pub struct Modules(BTreeMap<Names, Module>);

/// For each file, the items that it takes from each other file.
pub type Imports = BTreeMap<PathBuf, BTreeMap<PathBuf, BTreeSet<String>>>;

impl Modules {
    /// Reads the modules of a crate. Each file is given by its path in the repository, its path
    /// below the root of the crate, and its source. The tests inside a file are ignored.
    pub fn of<'a>(files: impl IntoIterator<Item = (&'a Path, &'a Path, &'a str)>) -> Modules {
        let files: Vec<_> = files.into_iter().collect();
        let paths: BTreeSet<Names> = files.iter().map(|(_, at, _)| module_path(at)).collect();
        let mut modules = BTreeMap::new();
        for (file, at, source) in files {
            let path = module_path(at);
            let lines = source.lines().take(test_part_line(source) - 1);
            let code = code_of(&lines.collect::<Vec<_>>().join("\n"));
            let is_face = is_root(file);
            let module = Module::read(file.to_owned(), &code, &path, &paths, is_face);
            modules.insert(path, module);
        }
        Modules(modules)
    }

    /// Returns the items that each file takes from each other file.
    pub fn imports(&self) -> Imports {
        let mut imports = Imports::new();
        for module in self.0.values() {
            for path in &module.taken {
                if let Some((file, item)) = self.definition(path, 0)
                    && file != module.file
                {
                    let from = imports.entry(module.file.clone()).or_default();
                    from.entry(file.to_owned()).or_default().insert(item);
                }
            }
        }
        imports
    }

    /// Returns the file that defines the item of a path, and the item's name. Returns `None` if the
    /// path is that of a module.
    fn definition(&self, path: &[String], depth: usize) -> Option<(&Path, String)> {
        const REEXPORTS_MAX: usize = 8;
        if depth > REEXPORTS_MAX || self.0.contains_key(path) {
            return None;
        }
        let (module, rest) = (0..path.len()).rev().find_map(|length| {
            let module = self.0.get(&path[..length])?;
            Some((module, &path[length..]))
        })?;
        if module.defined.contains(&rest[0]) {
            return Some((&module.file, rest[0].clone()));
        }
        let bound = module.bound.get(&rest[0])?;
        let whole: Names = bound.iter().chain(&rest[1..]).cloned().collect();
        self.definition(&whole, depth + 1)
    }
}

impl Module {
    fn read(
        file: PathBuf,
        code: &str,
        path: &Names,
        paths: &BTreeSet<Names>,
        is_face: bool,
    ) -> Module {
        let (uses, rest) = split_uses(code);
        let absolute = |names: &[String]| absolute(names, path, paths);
        let mut module = Module {
            file,
            defined: rest.lines().filter_map(defined_name).collect(),
            bound: BTreeMap::new(),
            taken: Vec::new(),
        };
        for (tree, is_public) in uses {
            for (names, bound_as) in leaves(&tree) {
                let Some(names) = absolute(&names) else {
                    continue;
                };
                // The root of a module may re-export the items of its children. Such a re-export
                // does not count as a use.
                if !(is_public && is_face) {
                    module.taken.push(names.clone());
                }
                module.bound.insert(bound_as, names);
            }
        }
        for names in paths_in(&rest) {
            let bound = module.bound.get(&names[0]);
            let whole = match bound {
                Some(bound) => Some(bound.iter().chain(&names[1..]).cloned().collect()),
                None => absolute(&names),
            };
            module.taken.extend(whole);
        }
        module
    }
}

/// Returns whether a file is the root of a module with a folder, or of a crate.
pub fn is_root(file: &Path) -> bool {
    ["mod.rs", "lib.rs", "main.rs"]
        .iter()
        .any(|root| file.ends_with(root))
}

fn module_path(at: &Path) -> Names {
    let mut names: Names = at
        .with_extension("")
        .iter()
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    if is_root(at) && !at.ends_with("main.rs") {
        names.pop();
    }
    names
}

/// Returns the path from the root of the crate, or `None` when the path leads out of the crate.
fn absolute(names: &[String], module: &[String], paths: &BTreeSet<Names>) -> Option<Names> {
    let join = |base: &[String], rest: &[String]| base.iter().chain(rest).cloned().collect();
    // A relative path starts at the module of the file, which for main.rs is the root of the crate.
    // Only a file that is the root of a folder has modules below it.
    let base = if module == ["main"] { &[][..] } else { module };
    match names[0].as_str() {
        "crate" | LIBRARY => Some(names[1..].to_vec()),
        "self" => Some(join(base, &names[1..])),
        "super" => {
            let ups = names.iter().take_while(|name| *name == "super").count();
            let above = &base[..base.len().checked_sub(ups)?];
            Some(join(above, &names[ups..]))
        }
        child => {
            let below: Names = join(base, &[child.to_owned()]);
            paths.contains(&below).then(|| join(base, names))
        }
    }
}

/// Returns the trees of all `use` declarations, and the code without these declarations. The flag
/// of a tree tells whether the declaration is public.
fn split_uses(code: &str) -> (Vec<(String, bool)>, String) {
    let (mut uses, mut rest) = (Vec::new(), String::new());
    let mut open: Option<(String, bool)> = None;
    for line in code.lines() {
        if open.is_none() {
            let item = line.strip_prefix("pub ").unwrap_or_else(|| {
                let inside = line
                    .strip_prefix("pub(")
                    .and_then(|rest| rest.split_once(") "));
                inside.map_or(line, |(_, item)| item)
            });
            if let Some(tree) = item.strip_prefix("use ") {
                open = Some((tree.to_owned(), item.len() < line.len()));
            }
        } else if let Some((tree, _)) = &mut open {
            tree.push_str(line.trim());
        }
        match open.take() {
            Some((tree, is_public)) if tree.ends_with(';') => {
                uses.push((tree.trim_end_matches(';').to_owned(), is_public));
            }
            Some(unfinished) => open = Some(unfinished),
            None => {
                rest.push_str(line);
                rest.push('\n');
            }
        }
    }
    (uses, rest)
}

/// Returns the paths that a `use` tree imports, each with the name that it binds.
fn leaves(tree: &str) -> Vec<(Names, String)> {
    let mut found = Vec::new();
    collect_leaves(&[], tree, &mut found);
    found
}

fn collect_leaves(above: &[String], tree: &str, found: &mut Vec<(Names, String)>) {
    let tree = tree.trim();
    if let Some((head, group)) = tree.split_once('{') {
        let head = names_of(head);
        let above: Names = above.iter().cloned().chain(head).collect();
        for part in split_group(group) {
            collect_leaves(&above, part, found);
        }
        return;
    }
    let (path, alias) = match tree.split_once(" as ") {
        Some((path, alias)) => (path, Some(alias.trim().to_owned())),
        None => (tree, None),
    };
    let mut names: Names = above.iter().cloned().chain(names_of(path)).collect();
    if names.last().is_some_and(|last| last == "self") && names.len() > 1 {
        names.pop();
    }
    if let Some(last) = names.last().cloned() {
        found.push((names, alias.unwrap_or(last)));
    }
}

fn names_of(path: &str) -> Names {
    let names = path.split("::").map(str::trim);
    names
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

/// Returns the elements of a group in a `use` tree. The group is given without its opening brace.
fn split_group(group: &str) -> Vec<&str> {
    let (mut depth, mut from, mut parts) = (0usize, 0, Vec::new());
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                parts.push(&group[from..at]);
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&group[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    parts.retain(|part| !part.trim().is_empty());
    parts
}

/// Returns the name of the item that a line defines, if an item begins in its first column.
fn defined_name(line: &str) -> Option<String> {
    const KINDS: &[&str] = &[
        "fn",
        "struct",
        "enum",
        "trait",
        "type",
        "const",
        "static",
        "union",
        "macro_rules!",
    ];
    const BEFORE: &[&str] = &["pub", "async", "unsafe", "const", "in"];
    if line.starts_with(' ') {
        return None;
    }
    let mut words = line.split_whitespace().peekable();
    while let Some(word) = words.next() {
        let is_item = KINDS.contains(&word) && words.peek() != Some(&"fn");
        if is_item {
            let name = words.next()?;
            let end = name.find(|c: char| !(c.is_alphanumeric() || c == '_'));
            return Some(name[..end.unwrap_or(name.len())].to_owned());
        }
        let visibility = word.starts_with("pub(") || word.ends_with(')');
        if !BEFORE.contains(&word) && !visibility {
            return None;
        }
    }
    None
}

/// Returns every path of at least two names in the code.
fn paths_in(code: &str) -> Vec<Names> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    let words = code.split(|c: char| !is_part(c));
    let paths = words.filter(|word| word.contains("::") && !word.starts_with(':'));
    paths
        .map(names_of)
        .filter(|names| names.len() > 1)
        .collect()
}
