//! A file or a folder: found, hashed as far as it has changed, and made into a torrent, unless it is the
//! data of one that is known.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::app::door::{self, ExistingFiles, StoredTorrent};
use crate::app::input::Torrent;
use crate::app::making::gather::{self, Gathered, Sort};
use crate::app::making::hash::{self, Hashed};
use crate::app::making::lints::{self, Lint};
use crate::app::making::plan::{self, Recipe};
use crate::app::making::values::{Tier, web_seed};
use crate::app::making::{CachedHashes, HashCache};
use crate::app::session_settings::SessionSettings;
use crate::app::stored_torrent;
use crate::app::user_folders;
use crate::app::{Error, ErrorKind, shown};
use crate::base::{Geometry, Sha1Digest};
use crate::face::cli::hint;
use crate::face::cli::making;
use crate::face::cli::output::Output;
use crate::face::cli::style::width;
use crate::face::cli::transfer::Verb;
use crate::proto::metainfo::{Draft, Metainfo};

use super::{SeedArgs, Share, known, save, torrent};

/// How hashing is told.
const HASHING: making::HashStyle =
    making::HashStyle { schema: Verb::Seed.schema(), event: "hashing", label: " hashing " };

/// Makes ready what is shared.
pub struct TorrentBuilder<'a> {
    /// The flags of the command.
    pub args: &'a SeedArgs,
    /// Its settings.
    pub settings: &'a SessionSettings,
    /// Where it is told.
    pub output: &'a Output,
}

/// The files under a path, before they are hashed.
struct Found {
    path: PathBuf,
    /// When it was looked at.
    at: SystemTime,
    files: Gathered,
    shape: Geometry,
}

impl TorrentBuilder<'_> {
    /// A file or a folder, as a torrent.
    pub fn share(&self, argument: &Path) -> Result<Share, Error> {
        let path = std::fs::canonicalize(argument).map_err(|error| Error::disk("read", argument, &error))?;
        let name = name(&path)?;
        let own = save::target(self.args.save.as_ref(), &path);
        let at = SystemTime::now();
        let wishes = self.args.making.wishes(self.args.follow)?;
        let files = gather::gather(&path, &wishes, Sort::Path, own.as_deref())?;
        let shape = plan::shape(self.args.making.piece_size, &files, None)?;
        self.output.event(&making::scanned(Verb::Seed.schema(), &files))?;
        gather::check_readable(&files)?;
        let found = Found { path, at, files, shape };
        let draft = plan::draft(&self.recipe(name)?, &found.files, &found.shape);
        let (bytes, planned) = plan::made(&draft)?;
        check_names(&planned, &found)?;
        self.warn(&draft, &found, bytes.len())?;
        let (share, hashed) = self.known_or_new(draft, &found)?;
        self.tell(&found.files, hashed.as_ref());
        Ok(share)
    }

    /// The torrent that is known of this data, or a new one; and what was hashed for it, if anything had to be
    /// looked at.
    fn known_or_new(&self, mut draft: Draft, found: &Found) -> Result<(Share, Option<Hashed>), Error> {
        let mut hashed = None;
        for recalled in self.candidates(found) {
            let torrent = &recalled.metainfo;
            let state = self.settings.state_dir().unwrap_or(Path::new(""));
            let untouched = !self.args.making.rehash && recalled.is_untouched(state);
            let of_known = if untouched {
                None
            } else if hash::line(&found.files) == known::line(torrent, &found.path)
                && *torrent.geometry() == found.shape
            {
                if hashed.is_none() {
                    hashed = Some(self.hash(found)?);
                }
                hashed.clone()
            } else {
                let line = known::line(torrent, &found.path);
                let unknown = vec![None; torrent.geometry().piece_count() as usize];
                let of_known =
                    making::hash(&line, torrent.geometry(), &unknown, hash::cores(), HASHING, self.output)?;
                hash::check_unchanged(&found.files)?;
                Some(of_known)
            };
            if of_known
                .as_ref()
                .is_some_and(|hashed| Some(hashed.digests.as_slice()) != torrent.piece_hashes().v1())
            {
                continue;
            }
            if !known::is_the_same(torrent, &draft) {
                let (name, id) = (torrent.name().fit(60), torrent.info_hash().short());
                let text = format!(
                    "this is the data of {name} ({id}); torr shares that torrent, so that there is one swarm"
                );
                self.output.say(&format!(" note: {text}; --new makes a new torrent"));
            }
            let existing = if untouched { ExistingFiles::Check } else { ExistingFiles::Trust };
            return Ok((self.ready(recalled, existing, found)?, of_known));
        }
        let hashed = match hashed {
            Some(hashed) => hashed,
            None => self.hash(found)?,
        };
        draft.digests = hashed.joined();
        let (_, metainfo) = plan::made(&draft)?;
        let recalled = StoredTorrent { metainfo, folder: found.path.parent().map(Path::to_owned) };
        Ok((self.ready(recalled, ExistingFiles::Trust, found)?, Some(hashed)))
    }

    /// The torrents of earlier runs whose data this may be: those of the trackers that are given first, then
    /// those used last.
    fn candidates(&self, found: &Found) -> Vec<StoredTorrent> {
        let Some(state) = self.settings.state_dir().filter(|_| !self.args.making.new) else {
            return Vec::new();
        };
        let all = door::find_stored_torrents(state, &found.path).unwrap_or_else(|error| {
            tracing::warn!(%error, "torr cannot read its records and makes a new torrent");
            Vec::new()
        });
        let (making, trackers) = (&self.args.making, &self.args.network.tracker);
        let is_it = |StoredTorrent { metainfo, .. }: &StoredTorrent| {
            known::fits(making, trackers, metainfo)
                && known::is_data_of(metainfo, &found.files, &found.path, making.chooses())
        };
        let mut all: Vec<_> = all.into_iter().filter(is_it).collect();
        all.sort_by_key(|recalled| !known::has_all(&recalled.metainfo, trackers));
        all
    }

    /// Hashes what has changed since it was hashed last, and keeps what comes of it.
    fn hash(&self, found: &Found) -> Result<Hashed, Error> {
        let cache = user_folders::cache().map(|cache| HashCache::in_cache_dir(&cache));
        let piece_len = found.shape.piece_len();
        let kept = cache.as_ref().filter(|_| !self.args.making.rehash);
        let kept = kept.and_then(|cache| cache.load(&found.path, piece_len));
        let files = &found.files.files;
        let known: Vec<Option<Sha1Digest>> = match &kept {
            Some(kept) => kept.digests(files, &found.shape),
            None => vec![None; found.shape.piece_count() as usize],
        };
        let line = hash::line(&found.files);
        let hashed = making::hash(&line, &found.shape, &known, hash::cores(), HASHING, self.output)?;
        hash::check_unchanged(&found.files)?;
        let keep = CachedHashes::new(files, piece_len, hashed.digests.clone(), found.at);
        if let Some(cache) = cache.filter(|_| kept.as_ref() != Some(&keep))
            && let Err(error) = cache.save(&found.path, &keep)
        {
            tracing::warn!(%error, "the next run will hash everything again");
        }
        Ok(hashed)
    }

    fn ready(&self, recalled: StoredTorrent, existing: ExistingFiles, found: &Found) -> Result<Share, Error> {
        let mut metainfo = recalled.metainfo;
        if let Some(comment) = &self.args.making.comment {
            let mut extras = metainfo.extras().clone();
            extras.comment = (!comment.is_empty()).then(|| comment.as_str().into());
            metainfo = metainfo.with_extras(extras);
        }
        // It is remembered from now on.
        let path = self.settings.state_dir().map(|_| stored_torrent::argument(&metainfo.info_hash()));
        let torrent = Torrent { bytes: metainfo.to_bytes(), metainfo, path, link: None };
        let folder = recalled.folder.unwrap_or_default();
        let mut share =
            torrent::ready(self.args, self.settings, torrent, folder, existing, found.path.clone())?;
        share.given.files.clone_from(&found.files.files);
        Ok(share)
    }

    fn recipe(&self, name: String) -> Result<Recipe, Error> {
        let network = &self.args.network;
        let web_seeds = network.web_seed.iter().map(|url| web_seed(url).map_err(Error::usage));
        Ok(Recipe {
            name,
            private: self.args.making.private,
            trackers: network.tracker.iter().map(|url| Tier(vec![url.clone()])).collect(),
            web_seeds: web_seeds.collect::<Result<_, _>>()?,
            comment: self.args.making.comment.clone(),
            created_by: concat!("torr ", env!("CARGO_PKG_VERSION")).to_owned(),
            // Without the time of day the torrent is the same in every run.
            ..Recipe::default()
        })
    }

    fn warn(&self, draft: &Draft, found: &Found, size: usize) -> Result<(), Error> {
        // Our address in the link is where its peers come from.
        let allowed: &[Lint] = if self.args.no_address { &[] } else { &[Lint::PrivateWithoutTracker] };
        let findings = lints::find(draft, &found.files, &found.shape, size, allowed);
        making::warn(&findings, Verb::Seed.schema(), self.output)
    }

    /// ` hashed  412 files, 1.9 GiB, 612 MiB/s    (skipped 2 hidden (--hidden))`
    fn tell(&self, found: &Gathered, hashed: Option<&Hashed>) {
        let skipped = hint::skipped(&found.skipped);
        let amount = making::amount(found);
        let text = match hashed.and_then(|hashed| Some((hashed.bytes, hashed.amount()?))) {
            Some((bytes, rate)) if bytes >= found.total() => {
                let rate = rate.rsplit(", ").next().unwrap_or_default();
                format!(" hashed  {amount}, {rate}")
            }
            Some((_, part)) => format!(" hashed  {part} of {amount}; the rest is unchanged"),
            None => format!(" known   {amount}; unchanged since it was hashed"),
        };
        let line = skipped.iter().fold(text.clone(), |line, skipped| format!("{line}    ({skipped})"));
        if width(&line) < self.output.columns() {
            self.output.say(&line);
            return;
        }
        self.output.say(&text);
        if let Some(skipped) = skipped {
            self.output.say(&format!("         {skipped}"));
        }
    }
}

/// The name of the torrent: that of the file or folder.
fn name(path: &Path) -> Result<String, Error> {
    let Some(name) = path.file_name() else {
        let message = format!("{} has no name that a torrent can use", shown(path));
        return Err(Error::usage(message).hint("share what lies in it"));
    };
    name.to_str().map(str::to_owned).ok_or_else(|| {
        let message = format!("the name of {} is not UTF-8, so a torrent cannot contain it", shown(path));
        Error::new(ErrorKind::Disk, "not_utf8", message).hint("rename it")
    })
}

/// Names that are changed wherever a torrent is stored would not be found here either.
fn check_names(planned: &Metainfo, found: &Found) -> Result<(), Error> {
    let name = planned.name().raw();
    for (file, own) in planned.files().iter().zip(&found.files.files) {
        let names = std::iter::once(name).chain(own.names.iter().map(String::as_str));
        if !names.eq(file.path().components()) {
            let message = format!("{} has a name that a torrent cannot use", shown(&own.path));
            let there = crate::base::Untrusted::new(file.path().as_str()).fit(100);
            let hint = format!("rename it; others would receive it as {there}");
            return Err(Error::new(ErrorKind::Disk, "bad_name", message).hint(hint));
        }
    }
    Ok(())
}
