//! Submissions of arguments, without a face and without a network.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::*;
use crate::app::config::{Config, Origin};
use crate::app::door::{ExistingFiles, TorrentSource};
use crate::app::input::{FetchWatch, Input};
use crate::app::session_settings::{NetworkOptions, SessionSettings};
use crate::app::{Error, Remedy};
use crate::proto::metainfo::{Attributes, Content, Draft, DraftFile, Extras, Metainfo};
use crate::store::{Change, TorrentStore};

/// The warnings that were given.
#[derive(Clone, Default)]
struct Warnings(Arc<Mutex<Vec<String>>>);

#[derive(Debug)]
struct Unwatched;

impl FetchWatch for Unwatched {
    fn received(&self, _: &str, _: u64, _: Option<u64>) {}
    fn ended(&self) {}
}

impl SubmissionWatch for Warnings {
    fn warn(&self, text: &str) {
        self.0.lock().unwrap().push(text.to_owned());
    }

    fn watch_fetch(&self) -> Box<dyn FetchWatch + '_> {
        Box::new(Unwatched)
    }
}

struct Request {
    dir: tempfile::TempDir,
    warnings: Warnings,
}

impl Request {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), warnings: Warnings::default() }
    }

    fn builder(&self, change: impl FnOnce(&mut SubmissionOptions)) -> Arc<SubmissionBuilder> {
        let mut options = SubmissionOptions::new(self.dir.path().join("got"));
        change(&mut options);
        let state = Some(self.dir.path().join("state"));
        let settings = SessionSettings::new(&Config::built_in(), NetworkOptions::default(), state).unwrap();
        SubmissionBuilder::new(options, settings, &[], Box::new(self.warnings.clone()))
    }

    /// Writes the torrent file of a torrent that holds these files in a folder of this name.
    fn write(&self, file: &str, name: &str, files: &[&str]) -> (PathBuf, Metainfo) {
        let one =
            |path: &&str| DraftFile { path: vec![(*path).to_owned()], len: 1, attributes: Attributes::NONE };
        let draft = Draft {
            name: name.to_owned(),
            content: Content::Several(files.iter().map(one).collect()),
            piece_len: 16 << 10,
            digests: vec![0; 20],
            private: false,
            source: None,
            extras: Extras::default(),
        };
        let path = self.dir.path().join(file);
        fs::write(&path, draft.to_bytes()).unwrap();
        (path, Metainfo::parse(&draft.to_bytes()).unwrap())
    }

    fn warnings(&self) -> Vec<String> {
        std::mem::take(&mut *self.warnings.0.lock().unwrap())
    }
}

fn transfer(submission: Option<Submission>) -> Transfer {
    let Some(Submission::Transfer(transfer)) = submission else { panic!("no transfer: {submission:?}") };
    *transfer
}

#[test]
fn a_torrent_file_is_a_transfer_and_only_once() {
    let request = Request::new();
    let builder = request.builder(|options| options.existing = ExistingFiles::Trust);
    let (path, metainfo) = request.write("a.torrent", "films", &["a", "b"]);
    let Transfer { add, torrent, reader } = transfer(builder.build(&path).unwrap());
    assert_eq!((torrent.info_hashes, torrent.is_seeded()), (metainfo.info_hash(), false));
    assert_eq!(torrent.folder, request.dir.path().join("got"));
    assert!(torrent.folder.is_dir() && reader.is_none());
    let content = add.content.unwrap();
    assert_eq!(
        (content.existing, content.folder, content.priorities.len()),
        (ExistingFiles::Trust, torrent.folder, 0)
    );
    assert!(builder.build(&path).unwrap().is_none());
    let link = PathBuf::from(format!("magnet:?xt=urn:btih:{}&x.pe=192.0.2.1:5", metainfo.info_hash()));
    let Some(Submission::MorePeers(more)) = builder.build(&link).unwrap() else { panic!("no peers") };
    assert_eq!(more.peers, ["192.0.2.1:5".parse().unwrap()]);
    let named = |name: &str| format!("{name} was given twice");
    assert_eq!(request.warnings(), [named("films"), named(&metainfo.info_hash().to_string())]);
}

#[test]
fn a_link_is_looked_for_unless_its_metadata_is_recorded() {
    let request = Request::new();
    let (_, metainfo) = request.write("a.torrent", "films", &["a", "b"]);
    let link = PathBuf::from(format!("magnet:?xt=urn:btih:{}&so=1", metainfo.info_hash()));
    let builder = request.builder(|_| {});
    let Some(Submission::MetadataSearch(search)) = builder.build(&link).unwrap() else { panic!("no search") };
    let TorrentSource::Link(wanted) = &search.add.source else { panic!("no link") };
    assert!(wanted.eager && search.add.content.is_none());
    let found = transfer(search.resolve(metainfo.clone()).map(Some).unwrap());
    assert_eq!(found.add.content.unwrap().priorities.len(), 2, "the link chooses files");

    let state = request.dir.path().join("state");
    let remember = Change::TorrentFile(metainfo.info_hash(), metainfo.to_bytes());
    TorrentStore::in_state_dir(&state).save(&[remember]).unwrap();
    let known = request.builder(|_| {}).build(&link).unwrap();
    assert_eq!(transfer(known).torrent.info_hashes, metainfo.info_hash());
    let read = request.builder(|_| {}).read(&link).unwrap();
    assert!(matches!(read, Some(Input::Torrent(_))));
}

#[test]
fn torrent_files_are_saved_beside_the_data_or_alone() {
    let request = Request::new();
    let (path, metainfo) = request.write("a.torrent", "films", &["a"]);
    let beside = request.builder(|options| options.torrent_file = TorrentFileMode::DataAndFile);
    transfer(beside.build(&path).unwrap());
    let saved = request.dir.path().join("got/films.torrent");
    assert_eq!(fs::read(&saved).unwrap(), metainfo.to_bytes());
    let only = |name: &str| {
        let name = Some(PathBuf::from(name));
        request.builder(|options| options.torrent_file = TorrentFileMode::FileOnly(name)).build(&path)
    };
    let Ok(Some(Submission::TorrentFile(file))) = only("x.torrent") else { panic!("nothing saved") };
    assert_eq!((file.path, file.files), (request.dir.path().join("got/x.torrent"), 1));
    fs::write(&saved, "another").unwrap();
    let refused = only("films.torrent").unwrap_err();
    assert_eq!(refused.remedy.as_deref(), Some(&Remedy::ReplaceTorrentFile));
}

#[test]
fn what_cannot_be_is_refused_without_a_flag() {
    let request = Request::new();
    let (films, metainfo) = request.write("a.torrent", "films", &["a", "b"]);
    let (other, _) = request.write("b.torrent", "films", &["c"]);
    let remedy = |error: Error| error.remedy.map(|remedy| *remedy);
    let builder = request.builder(|_| {});
    transfer(builder.build(&films).unwrap());
    let refused = builder.build(&other).unwrap_err();
    assert_eq!(
        (refused.word, refused.message.ends_with("films belongs to films; films would use it too")),
        ("same_path", true)
    );
    assert_eq!(remedy(refused), Some(Remedy::SeparateTorrents));

    let streaming = |select: &[&str]| {
        let select = select.iter().map(|text| crate::app::selection::select(text).unwrap()).collect();
        let origin = Some(Origin::Flag("--flag"));
        request.builder(|options| (options.stream, options.select) = (origin, select)).build(&films)
    };
    assert!(transfer(streaming(&["1"]).unwrap()).reader.is_some());
    let refused = streaming(&[]).unwrap_err();
    assert_eq!(refused.message, "--flag writes one file, but several of films are selected");
    assert_eq!((refused.torrent, remedy(refused)), (Some(metainfo.info_hash()), Some(Remedy::SelectOneFile)));
    assert_eq!(streaming(&["7"]).err().and_then(remedy), Some(Remedy::ListFiles));
    assert!(request.builder(|_| {}).build(Path::new("/nowhere/a.torrent")).is_err());
}

#[tokio::test]
async fn submissions_are_built_in_the_background() {
    let request = Request::new();
    let (good, _) = request.write("a.torrent", "films", &["a"]);
    let arguments = [Ok(good.clone()), Ok(good), Ok(PathBuf::from("/nowhere/a.torrent"))];
    let mut submissions = request.builder(|_| {}).build_in_background(arguments.into_iter()).unwrap();
    assert!(matches!(submissions.recv().await, Some(Ok(Submission::Transfer(_)))));
    assert!(matches!(submissions.recv().await, Some(Err(_))));
    assert!(submissions.recv().await.is_none());
}
