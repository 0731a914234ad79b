//! One Rust file, read into what the rules ask about.
//!
//! Code inside macro calls is not parsed by `syn`; its tokens are searched for paths instead.

use proc_macro2::{TokenStream, TokenTree};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{Attribute, ImplItem, Item, Meta, Path, Token, UseTree};

/// What the rules ask about a file.
#[derive(Debug)]
pub struct Source {
    /// Path in the repository.
    pub path: String,
    /// Whether the first line is an inner doc comment.
    pub has_header: bool,
    /// Whether the whole file is a test, because it lies in `tests/` or is declared as one.
    pub is_test: bool,
    /// Paths into the own crate.
    pub uses: Vec<Use>,
    /// Every identifier, also in macro calls, with its line.
    pub names: Vec<(String, usize)>,
    /// Functions that are not tests.
    pub functions: Vec<Function>,
    /// Lines without those of test items.
    pub code_lines: usize,
    /// Files declared by `#[cfg(test)] mod name;`, without extension.
    pub test_files: Vec<String>,
}

/// A path that leads into the own crate.
#[derive(Debug, PartialEq, Eq)]
pub struct Use {
    /// The top-level module, or the item at the crate's root; `*` for the root itself.
    pub target: String,
    /// Line in the file.
    pub line: usize,
    /// Whether it stands in test code.
    pub in_test: bool,
}

/// A function with a body.
#[derive(Debug, PartialEq, Eq)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// Line where it begins.
    pub line: usize,
    /// Lines from `fn` to the closing brace.
    pub lines: usize,
}

impl Source {
    /// Reads a file; whether its parent declares it as a test is found out by [`mark_tests`].
    pub fn parse(path: &str, text: &str) -> syn::Result<Self> {
        let file = syn::parse_file(text)?;
        let is_test = path.split('/').any(|part| part == "tests") || is_test(&file.attrs);
        let mut reader = Reader {
            module: module_of(path),
            child_dir: child_dir(path),
            in_test: is_test,
            test_lines: 0,
            uses: Vec::new(),
            functions: Vec::new(),
            test_files: Vec::new(),
        };
        reader.visit_file(&file);
        let mut names = Vec::new();
        collect_names(text.parse()?, &mut names);
        Ok(Self {
            path: path.to_owned(),
            has_header: text.starts_with("//!"),
            is_test,
            uses: reader.uses,
            names,
            functions: reader.functions,
            code_lines: text.lines().count() - reader.test_lines,
            test_files: reader.test_files,
        })
    }

    /// The top-level module of the runtime that the file belongs to; empty for the root.
    pub fn module(&self) -> String {
        module_of(&self.path).into_iter().next().unwrap_or_default()
    }
}

/// Marks the files that are declared as test modules by another file, and everything below them.
pub fn mark_tests(sources: &mut [Source]) {
    let declared: Vec<String> =
        sources.iter().flat_map(|source| source.test_files.clone()).collect();
    for source in sources {
        let stem = source.path.trim_end_matches(".rs");
        let below = |file: &String| stem == file || stem.starts_with(&format!("{file}/"));
        if declared.iter().any(below) {
            source.is_test = true;
            source.functions.clear();
            source.uses.iter_mut().for_each(|used| used.in_test = true);
        }
    }
}

/// The module that a file of a package is, as segments; binaries are the module `bin`.
fn module_of(path: &str) -> Vec<String> {
    let inside = path.rsplit_once("src/").map_or(path, |(_, inside)| inside);
    if inside == "main.rs" || inside.starts_with("bin/") {
        return vec!["bin".to_owned()];
    }
    let stem = inside.trim_end_matches(".rs");
    let parts = stem.split('/').filter(|part| !["lib", "mod"].contains(part));
    parts.map(str::to_owned).collect()
}

/// Directory in which the files of a file's child modules lie.
fn child_dir(path: &str) -> String {
    let (dir, name) = path.rsplit_once('/').unwrap_or(("", path));
    match name {
        "mod.rs" | "lib.rs" | "main.rs" => dir.to_owned(),
        _ => path.trim_end_matches(".rs").to_owned(),
    }
}

fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let path = attribute.path();
        let condition = || attribute.parse_args::<Meta>();
        path.is_ident("test") || (path.is_ident("cfg") && condition().is_ok_and(implies_test))
    })
}

/// Whether a condition holds in tests only; what stands in `not(…)` says nothing about that.
fn implies_test(condition: Meta) -> bool {
    let Meta::List(list) = condition else {
        return condition.path().is_ident("test");
    };
    let parts = list.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated);
    let mut parts = parts.unwrap_or_default().into_iter();
    if list.path.is_ident("all") {
        parts.any(implies_test)
    } else {
        list.path.is_ident("any") && parts.all(implies_test)
    }
}

fn collect_names(tokens: TokenStream, names: &mut Vec<(String, usize)>) {
    for token in tokens {
        match token {
            TokenTree::Ident(ident) => names.push((ident.to_string(), ident.span().start().line)),
            TokenTree::Group(group) => collect_names(group.stream(), names),
            TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
    }
}

struct Reader {
    module: Vec<String>,
    child_dir: String,
    in_test: bool,
    test_lines: usize,
    uses: Vec<Use>,
    functions: Vec<Function>,
    test_files: Vec<String>,
}

impl Reader {
    /// Visits an item that may be a test, and counts its lines if it is the outermost one.
    fn within(
        &mut self,
        attributes: &[Attribute],
        node: impl Spanned,
        visit: impl FnOnce(&mut Self),
    ) {
        let outer = self.in_test;
        if !outer && is_test(attributes) {
            self.in_test = true;
            self.test_lines += lines(&node);
        }
        visit(self);
        self.in_test = outer;
    }

    fn function(&mut self, signature: &syn::Signature, block: &syn::Block) {
        if !self.in_test {
            let line = signature.span().start().line;
            self.functions.push(Function {
                name: signature.ident.to_string(),
                line,
                lines: block.span().end().line - line + 1,
            });
        }
    }

    /// Records a path if it leads into the own crate.
    fn path(&mut self, segments: &[String], line: usize) {
        let Some(first) = segments.first() else {
            return;
        };
        let supers = segments.iter().take_while(|part| *part == "super").count();
        let is_binary = self.module.first().is_some_and(|module| module == "bin");
        let resolved: Vec<String> = match first.as_str() {
            // A binary's own root is not the library's.
            "crate" | "self" | "super" if is_binary => vec!["bin".to_owned()],
            "crate" | "storm_runtime" => segments[1..].to_vec(),
            "self" => [&self.module, &segments[1..]].concat(),
            "super" => {
                let kept = self.module.len().saturating_sub(supers);
                [&self.module[..kept], &segments[supers..]].concat()
            }
            _ => return,
        };
        // `crate` alone is a visibility, `self` alone a value.
        if segments.len() > 1 {
            let used = Use {
                target: resolved.first().map_or("*", String::as_str).to_owned(),
                line,
                in_test: self.in_test,
            };
            // A group in braces is one use of its module, not one for each name.
            if self.uses.last() != Some(&used) {
                self.uses.push(used);
            }
        }
    }

    fn use_tree(&mut self, tree: &UseTree, before: &mut Vec<String>) {
        match tree {
            UseTree::Path(path) => {
                before.push(path.ident.to_string());
                self.use_tree(&path.tree, before);
                before.pop();
            }
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.use_tree(tree, before);
                }
            }
            UseTree::Name(syn::UseName { ident, .. })
            | UseTree::Rename(syn::UseRename { ident, .. }) => {
                let mut path = before.clone();
                // In a group, `self` is the path before it.
                if path.is_empty() || ident != "self" {
                    path.push(ident.to_string());
                }
                self.path(&path, ident.span().start().line);
            }
            UseTree::Glob(glob) => {
                let path = [before.clone(), vec!["*".to_owned()]].concat();
                self.path(&path, glob.span().start().line);
            }
        }
    }

    /// Searches the tokens of a macro for `crate::name`, `super::name` and the like.
    fn macro_tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let mut colons = 0;
        let mut line = 0;
        for token in tokens {
            match token {
                TokenTree::Ident(ident) => {
                    if colons != 2 {
                        self.path(&std::mem::take(&mut path), line);
                        line = ident.span().start().line;
                    }
                    path.push(ident.to_string());
                    colons = 0;
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
                TokenTree::Group(group) => {
                    self.path(&std::mem::take(&mut path), line);
                    colons = 0;
                    self.macro_tokens(group.stream());
                }
                TokenTree::Punct(_) | TokenTree::Literal(_) => {
                    self.path(&std::mem::take(&mut path), line);
                    colons = 0;
                }
            }
        }
        self.path(&path, line);
    }
}

fn lines(node: &impl Spanned) -> usize {
    let span = node.span();
    span.end().line - span.start().line + 1
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item(&mut self, item: &'ast Item) {
        self.within(item_attributes(item), item, |reader| {
            visit::visit_item(reader, item);
        });
    }

    fn visit_impl_item(&mut self, item: &'ast ImplItem) {
        let attributes: &[Attribute] = match item {
            ImplItem::Fn(function) => &function.attrs,
            ImplItem::Const(constant) => &constant.attrs,
            _ => &[],
        };
        self.within(attributes, item, |reader| {
            visit::visit_impl_item(reader, item);
        });
    }

    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        let name = module.ident.to_string();
        if module.content.is_none() && self.in_test {
            self.test_files.push(format!("{}/{name}", self.child_dir));
        }
        self.module.push(name);
        visit::visit_item_mod(self, module);
        self.module.pop();
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.use_tree(&item.tree, &mut Vec::new());
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.function(&item.sig, &item.block);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.function(&item.sig, &item.block);
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        if let Some(block) = &item.default {
            self.function(&item.sig, block);
        }
        visit::visit_trait_item_fn(self, item);
    }

    fn visit_path(&mut self, path: &'ast Path) {
        let segments: Vec<String> =
            path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        self.path(&segments, path.span().start().line);
        visit::visit_path(self, path);
    }

    /// A macro's own path is left out: `#[macro_export]` puts it at the root.
    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.macro_tokens(call.tokens.clone());
    }

    fn visit_vis_restricted(&mut self, _: &'ast syn::VisRestricted) {}
}

fn item_attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::ExternCrate(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::ForeignMod(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Union(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: &str, text: &str, expected: &[(&str, bool)]) {
        let source = Source::parse(path, text).expect("parses");
        let uses: Vec<(&str, bool)> =
            source.uses.iter().map(|used| (used.target.as_str(), used.in_test)).collect();
        assert_eq!(uses, expected);
    }

    #[test]
    fn paths_into_the_crate_are_found_wherever_they_stand() {
        check("src/a.rs", "use crate::b::C;", &[("b", false)]);
        check("src/a.rs", "use crate::{b, c::{self, D}};", &[("b", false), ("c", false)]);
        check("src/a.rs", "use crate::*;", &[("*", false)]);
        check("src/a.rs", "fn f() -> crate::b::C { crate::d::e() }", &[("b", false), ("d", false)]);
        check("src/a.rs", "fn f() { assert!(x == crate::b::c(1), y); }", &[("b", false)]);
        check("src/a.rs", "macro_rules! m { () => { $crate::b::c() } }", &[("b", false)]);
        check("src/bin/x.rs", "use storm_runtime::b::C;", &[("b", false)]);
        check("src/bin/x/y.rs", "use crate::z::C; use super::A;", &[("bin", false)]);
        check("src/a.rs", "use std::sync::Arc; pub(crate) fn f(&self) {}", &[]);
    }

    #[test]
    fn a_climb_by_super_ends_in_the_module_it_reaches() {
        check("src/a/b.rs", "use super::super::c::D;", &[("c", false)]);
        check("src/a/mod.rs", "use super::c::D;", &[("c", false)]);
        check("src/a/b.rs", "use super::c::D;", &[("a", false)]);
        check(
            "src/a.rs",
            "mod inner { use super::x; use super::super::c; }",
            &[("a", false), ("c", false)],
        );
        check("src/a.rs", "use super::*;", &[("*", false)]);
    }

    #[test]
    fn test_code_is_told_from_the_rest() {
        let text = "use crate::b;\n#[cfg(test)]\nmod tests {\n use crate::c;\n fn long() {}\n}\n#[cfg(all(test, loom))]\nuse crate::d;\n#[cfg(not(test))]\nuse crate::e;\nfn f() {\n}\n";
        check("src/a.rs", text, &[("b", false), ("c", true), ("d", true), ("e", false)]);
        let source = Source::parse("src/a.rs", text).expect("parses");
        assert_eq!(source.code_lines, 12 - 5 - 2);
        let f = Function { name: "f".to_owned(), line: 11, lines: 2 };
        assert_eq!(source.functions, [f]);
    }

    #[test]
    fn a_condition_is_a_tests_if_it_never_holds_elsewhere() {
        for (condition, expected) in [
            ("test", true),
            ("all(test, not(loom))", true),
            ("all(unix, all(loom, test))", true),
            ("any(test, loom)", false),
            ("any(test, all(test, loom))", true),
            ("not(test)", false),
            ("all(not(test), loom)", false),
            ("feature = \"test\"", false),
        ] {
            let text = format!("#[cfg({condition})]\nuse crate::b;");
            check("src/a.rs", &text, &[("b", expected)]);
        }
    }

    #[test]
    fn a_file_declared_as_a_test_is_one_with_all_below_it() {
        let parse = |path, text| Source::parse(path, text).expect("parses");
        let mut sources = [
            parse("src/a/mod.rs", "#[cfg(test)]\nmod tests;\nmod b;"),
            parse("src/a/tests.rs", "use crate::z; fn f() {}"),
            parse("src/a/tests/deep.rs", ""),
            parse("src/a/b.rs", ""),
            parse("src/c.rs", "#[cfg(all(test, loom))] mod model;"),
            parse("src/c/model.rs", ""),
        ];
        mark_tests(&mut sources);
        let tests: Vec<bool> = sources.iter().map(|source| source.is_test).collect();
        assert_eq!(tests, [false, true, true, false, false, true]);
        assert!(sources[1].uses[0].in_test && sources[1].functions.is_empty());
    }

    #[test]
    fn functions_are_measured_without_their_comments() {
        let text = "/// Long\n/// doc.\nfn f() {\n}\nimpl X {\n fn g(&self)\n {\n }\n}\ntrait T { fn h() {\n } }";
        let source = Source::parse("src/a.rs", text).expect("parses");
        let measured: Vec<(&str, usize)> = source
            .functions
            .iter()
            .map(|function| (function.name.as_str(), function.lines))
            .collect();
        assert_eq!(measured, [("f", 2), ("g", 3), ("h", 2)]);
    }

    #[test]
    fn names_in_macros_count_and_those_in_texts_do_not() {
        let source = Source::parse("src/a.rs", "/// tokio\nfn f() { m!(unsafe, \"thrift\") }");
        let names = source.expect("parses").names;
        assert!(names.contains(&("unsafe".to_owned(), 2)));
        assert!(names.iter().all(|(name, _)| name != "tokio" && name != "thrift"));
    }
}
