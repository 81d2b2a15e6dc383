//! A folder for the test, content made from a seed, and engines that find one another.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;
use tokio::sync::mpsc::UnboundedReceiver;
use torr::base::Rng;
use torr::engine::{
    Add, After, ContentOptions, Engine, EngineConfig, Event, ExistingFiles, Handle, SeedGoal,
};
use torr::hash::sha1;
use torr::proto::metainfo::{Attributes, Content, Draft, DraftFile, Extras, Metainfo};

/// How long anything may take before the test fails.
pub const TIMEOUT: Duration = Duration::from_secs(60);

pub struct World {
    pub dir: TempDir,
    pub metainfo: Metainfo,
    files: Vec<(PathBuf, Vec<u8>)>,
}

/// An engine with its own state, and what happens in it.
pub struct Client {
    pub handle: Handle,
    pub events: UnboundedReceiver<Event>,
    pub folder: PathBuf,
}

impl World {
    /// A folder `content` with files of these lengths, cut into pieces of 32 KiB.
    pub fn with(lens: &[usize]) -> Self {
        Self::in_pieces(lens, 32 * 1024)
    }

    /// The same for a private torrent.
    pub fn private(lens: &[usize]) -> Self {
        Self::made(lens, 32 * 1024, true)
    }

    /// The same in pieces of this length.
    pub fn in_pieces(lens: &[usize], piece_len: u32) -> Self {
        Self::made(lens, piece_len, false)
    }

    fn made(lens: &[usize], piece_len: u32, private: bool) -> Self {
        let dir = TempDir::new().expect("a temporary folder can be made");
        let mut rng = Rng::new(lens.iter().sum::<usize>() as u64);
        let mut line = Vec::new();
        let mut files = Vec::new();
        let mut listed = Vec::new();
        for (at, &len) in lens.iter().enumerate() {
            let bytes: Vec<u8> = (0..len).map(|_| rng.next_u64() as u8).collect();
            let name = format!("file-{at}.bin");
            line.extend_from_slice(&bytes);
            let path = vec![name.clone()];
            listed.push(DraftFile { path, len: len as u64, attributes: Attributes::default() });
            files.push((Path::new("content").join(name), bytes));
        }
        let draft = Draft {
            name: "content".into(),
            content: Content::Several(listed),
            piece_len,
            digests: line.chunks(piece_len as usize).flat_map(sha1).collect(),
            private,
            source: None,
            extras: Extras::default(),
        };
        let metainfo = Metainfo::parse(&draft.to_bytes()).expect("what we write we can read");
        Self { dir, metainfo, files }
    }

    /// A folder of the test with the content in it.
    pub fn full(&self, name: &str) -> PathBuf {
        let folder = self.empty(name);
        for (path, bytes) in &self.files {
            let path = folder.join(path);
            std::fs::create_dir_all(path.parent().expect("has a parent")).expect("folders can be made");
            std::fs::write(path, bytes).expect("files can be written");
        }
        folder
    }

    /// A folder of the test with nothing in it.
    pub fn empty(&self, name: &str) -> PathBuf {
        let folder = self.dir.path().join(name);
        std::fs::create_dir_all(&folder).expect("folders can be made");
        folder
    }

    pub fn assert_same(&self, folder: &Path) {
        for (path, bytes) in &self.files {
            let there = std::fs::read(folder.join(path)).expect("the file is there");
            assert!(there == *bytes, "{} differs", path.display());
        }
    }

    /// An engine on 127.0.0.1 that works in this folder.
    pub async fn client(&self, folder: PathBuf) -> Client {
        let name = folder.file_name().expect("has a name").to_owned();
        let config = EngineConfig {
            bind: Some("127.0.0.1".parse().expect("an address")),
            state_dir: Some(self.dir.path().join("state").join(name)),
            ..EngineConfig::default()
        };
        let mut handle = Engine::start(config).await.expect("the engine starts");
        let events = handle.events().expect("not taken yet");
        Client { handle, events, folder }
    }

    /// A client that believes the content of this folder and seeds it, at most so fast.
    pub async fn seeder(&self, folder: PathBuf, up: Option<u64>) -> Client {
        let mut client = self.client(folder).await;
        client.handle.add(Add { up, ..self.seed_trusting(&client) });
        client.until(|event| matches!(event, Event::Checked { .. }).then_some(())).await;
        client
    }

    /// This torrent in that client's folder, with every default.
    pub fn add(&self, client: &Client) -> Add {
        Add::new(self.metainfo.clone(), client.folder.clone())
    }

    /// The torrent that lies in that client's folder, to be given until the end.
    pub fn seed(&self, client: &Client) -> Add {
        Add::new(self.metainfo.clone(), client.seeding())
    }

    /// The same where the files are believed to be right.
    pub fn seed_trusting(&self, client: &Client) -> Add {
        let options = ContentOptions { existing: ExistingFiles::Trust, ..client.seeding() };
        Add::new(self.metainfo.clone(), options)
    }
}

impl Client {
    /// Gives what lies in its folder until the end.
    pub fn seeding(&self) -> ContentOptions {
        ContentOptions {
            seed_only: true,
            after: After::Seed(SeedGoal::default()),
            ..ContentOptions::new(self.folder.clone())
        }
    }

    /// Where others reach it.
    pub async fn addr(&self) -> SocketAddr {
        let mut views = self.handle.views();
        let port = tokio::time::timeout(TIMEOUT, views.wait_for(|view| view.port.is_some()))
            .await
            .expect("in time")
            .expect("the engine lives")
            .port
            .expect("just seen");
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    /// Waits for an event that `pick` takes; fails on a fault it does not.
    pub async fn until<T>(&mut self, pick: impl Fn(&Event) -> Option<T>) -> T {
        tokio::time::timeout(TIMEOUT, async {
            loop {
                let event = self.events.recv().await.expect("the engine lives");
                if let Some(found) = pick(&event) {
                    return found;
                }
                assert!(!matches!(event, Event::Failed { .. }), "{event:?}");
            }
        })
        .await
        .expect("in time")
    }

    pub async fn until_done(&mut self) {
        self.until(|event| matches!(event, Event::Done { .. }).then_some(())).await;
    }
}
