//! How long files and functions may be: a page that fits into a head is reviewed, a longer one is believed.

use crate::{rust, tree};

/// Lines of a file, hard cap.
const FILE_LINES_MAX: usize = 500;
/// Lines of a function, hard cap; most should be near ten.
const FUNCTION_LINES_MAX: usize = 70;
/// Half of the files stay below this.
const FILE_LINES_MEDIAN: usize = 150;

/// Files over the cap.
pub fn long_files() -> Vec<String> {
    let files = tree::rust_files();
    let long = files.iter().filter(|file| lines(file) > FILE_LINES_MAX);
    long.map(|file| {
        let what = format!("{} lines, the cap is {FILE_LINES_MAX}", lines(file));
        tree::offence(
            &file.path,
            lines(file),
            &what,
            "Split it where the subject changes",
        )
    })
    .collect()
}

/// Functions over the cap.
pub fn long_functions() -> Vec<String> {
    let mut found = Vec::new();
    for file in tree::rust_files() {
        for function in too_long(&file.text) {
            let what = format!(
                "`{}` takes {} lines, the cap is {FUNCTION_LINES_MAX}",
                function.name, function.lines
            );
            let remedy = "Keep the branching here and give the leaves names of their own";
            found.push(tree::offence(&file.path, function.line, &what, remedy));
        }
    }
    found
}

/// The functions of a text that are over the cap.
pub fn too_long(text: &str) -> Vec<rust::Function> {
    let functions = rust::functions(&rust::read(text).code);
    functions
        .into_iter()
        .filter(|function| function.lines > FUNCTION_LINES_MAX)
        .collect()
}

/// A sentence about the sizes, and an offence if half of the files are too long.
pub fn median() -> (String, Vec<String>) {
    let mut sizes: Vec<usize> = tree::rust_files().iter().map(lines).collect();
    sizes.sort_unstable();
    let median = sizes.get(sizes.len() / 2).copied().unwrap_or(0);
    let longest = sizes.last().copied().unwrap_or(0);
    let told = format!(
        "{} Rust files, the median has {median} lines, the longest {longest}",
        sizes.len()
    );
    let what = format!("the median file has {median} lines, it should not pass {FILE_LINES_MEDIAN}");
    let offence = tree::offence(
        "src",
        1,
        &what,
        "Split the longest files where the subject changes",
    );
    (
        told,
        Vec::from_iter((median > FILE_LINES_MEDIAN).then_some(offence)),
    )
}

fn lines(file: &tree::File) -> usize {
    file.text.lines().count()
}
