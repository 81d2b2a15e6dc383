//! `torr man`: the manual, generated from the same specification as the help.

mod pages;
mod roff;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use crate::app::{Error, ErrorKind, shown};
use crate::base::Untrusted;
use crate::face::cli::exit::Exit;
use crate::face::cli::json::path_hex;
use crate::face::cli::output::Output;
use pages::Page;

/// Print or install the manual pages
///
/// Prints the source of one page, for man to show. With --dir, writes all pages into the subdirectories man1,
/// man5 and man7, where man finds them; pages that torr did not create are never overwritten.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  torr man | man -l -
  torr man torr-get | man -l -
  torr man --dir ~/.local/share/man")]
pub struct ManArgs {
    /// Page to print: torr, torr-get, torr-exit-codes and so on; the page torr lists them under SEE ALSO
    #[arg(value_name = "PAGE", default_value = "torr")]
    page: String,
    /// Write all pages below this directory; created if missing
    #[arg(long, value_name = "DIR", conflicts_with = "page")]
    dir: Option<PathBuf>,
}

/// Every page of ours begins so: what does not is somebody else's.
const MARK: &str = ".\\\" Made by torr man";

#[derive(Serialize)]
struct Document {
    schema: &'static str,
    pages: Vec<PageDocument>,
}

#[derive(Serialize)]
struct PageDocument {
    name: String,
    section: u8,
    /// Where it was written; nothing where it is here.
    path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_hex: Option<String>,
    text: Option<String>,
}

/// Prints a page, or writes all.
pub fn run(args: &ManArgs, output: &Output) -> Result<Exit, Error> {
    let pages = pages::all();
    let documents = match &args.dir {
        Some(dir) => write_all(&pages, dir, output)?,
        None => vec![one(&pages, &args.page, output)?],
    };
    output.event(&Document { schema: "torr.man/1", pages: documents })?;
    Ok(Exit::Done)
}

fn one(pages: &[Page], name: &str, output: &Output) -> Result<PageDocument, Error> {
    let named = |page: &&Page| page.name == name || page.name.strip_prefix("torr-") == Some(name);
    let page = pages.iter().find(named).ok_or_else(|| {
        let names: Vec<&str> = pages.iter().map(|page| page.name.as_str()).collect();
        Error::usage(format!("there is no page '{}'", Untrusted::new(name)))
            .hint(format!("there are {}", names.join(", ")))
    })?;
    let text = source(page);
    if !output.json {
        output.data(output.out.own(&text).as_bytes())?;
    }
    Ok(PageDocument {
        name: page.name.clone(),
        section: page.section,
        path: None,
        path_hex: None,
        text: Some(text),
    })
}

fn write_all(pages: &[Page], dir: &Path, output: &Output) -> Result<Vec<PageDocument>, Error> {
    let path = |page: &Page| {
        dir.join(format!("man{}", page.section)).join(format!("{}.{}", page.name, page.section))
    };
    for page in pages {
        refuse_foreign(&path(page))?;
    }
    pages
        .iter()
        .map(|page| {
            let path = path(page);
            write(&path, &source(page))?;
            if !output.json {
                output.path(&path, b'\n')?;
            }
            let shown = path.to_string_lossy().into_owned();
            Ok(PageDocument {
                name: page.name.clone(),
                section: page.section,
                path: Some(shown),
                path_hex: path_hex(&path),
                text: None,
            })
        })
        .collect()
}

fn source(page: &Page) -> String {
    format!("{MARK} of torr {}; it may be overwritten.\n{}", env!("CARGO_PKG_VERSION"), page.text)
}

/// Whatever stands in the place of a page must be a page of ours.
fn refuse_foreign(path: &Path) -> Result<(), Error> {
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Error::disk("look at", path, &error)),
    };
    let ours = found.is_file()
        && fs::read(path).map_err(|error| Error::disk("read", path, &error))?.starts_with(MARK.as_bytes());
    if ours {
        return Ok(());
    }
    let message = format!("{} is there already and was not made by torr", shown(path));
    Err(Error::new(ErrorKind::Disk, "foreign_data", message).hint("move it away, or choose another --dir"))
}

fn write(path: &Path, text: &str) -> Result<(), Error> {
    let failed = |error: io::Error| Error::disk("write", path, &error);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    let new = PathBuf::from(new);
    fs::write(&new, text).and_then(|()| fs::rename(&new, path)).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_others_are_kept_and_ours_renewed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("man1/torr.1");
        let page = Page { name: "torr".to_owned(), section: 1, text: "x\n".to_owned() };
        write(&path, &source(&page)).unwrap();
        refuse_foreign(&path).unwrap();
        fs::write(&path, ".TH TORR 1\n").unwrap();
        let failure = refuse_foreign(&path).unwrap_err();
        assert_eq!((failure.kind, failure.word), (ErrorKind::Disk, "foreign_data"));
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }
}
