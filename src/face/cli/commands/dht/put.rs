//! `torr dht put`: having nodes keep an item (BEP 44).

use std::ops::ControlFlow;
use std::path::PathBuf;

use clap::{ArgGroup, Args};
use serde::Serialize;

use crate::app::dht::{Goal, TaskUpdate};
use crate::app::{Error, ErrorKind, shown};
use crate::base::{NodeId, units};
use crate::face::cli::args::global::GlobalArgs;
use crate::face::cli::exit::Exit;
use crate::face::cli::json::hex;
use crate::face::cli::output::Output;
use crate::proto::krpc::{ErrorCode, Item};

use super::asking::{Asking, Sought, ask, nodes, seconds};
use super::get::salt;
use super::lookup::summary;
use super::reach::Limited;
use super::secret::{self, Secret};
use super::value;

/// Store an item in the DHT (BEP 44)
///
/// An item has up to 996 bytes; nodes store it for about two hours. Prints the target, with which anyone can
/// get the item. Without a key the item is immutable: its target is its SHA-1 hash. With a key it is mutable:
/// its owner can replace it, and its target depends on the key and the salt.
#[derive(Args, Debug)]
#[command(
    group = ArgGroup::new("owner").args(["key", "new_key"]),
    after_help = "Examples:
  echo hello | torr dht put
  torr dht put note.txt --new-key me.key
  torr dht put note.txt --key me.key --salt notes"
)]
pub struct PutArgs {
    /// File with the value; - for standard input
    #[arg(value_name = "FILE", default_value = "-")]
    file: PathBuf,
    /// The value is already bencoded
    #[arg(long)]
    bencoded: bool,
    /// Sign a mutable item with the secret key in FILE
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Sign it with a new secret key, saved to the new FILE, readable only by you
    #[arg(long, value_name = "FILE")]
    new_key: Option<PathBuf>,
    /// Sequence number; a higher one is newer [default: one more than the newest stored]
    #[arg(long, value_name = "N", requires = "owner", allow_negative_numbers = true)]
    seq: Option<i64>,
    /// Salt, to distinguish several items with the same key
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true, value_parser = salt, requires = "owner")]
    salt: String,
    /// Store only if the newest stored item has this sequence number
    #[arg(long, value_name = "N", requires = "owner", allow_negative_numbers = true)]
    cas: Option<i64>,
    #[command(flatten)]
    limits: Limited,
}

#[derive(Serialize)]
struct Document {
    schema: &'static str,
    ok: bool,
    code: u8,
    target: String,
    key: Option<String>,
    seq: Option<i64>,
    stored: u32,
    refused: Option<&'static str>,
    asked: u32,
    answered: u32,
    seconds: f64,
}

/// Puts it.
pub fn run(args: &PutArgs, global: &GlobalArgs, output: &Output) -> Result<Exit, Error> {
    let value = value::read(&args.file, args.bencoded)?;
    let secret = match (&args.key, &args.new_key) {
        (Some(path), _) => Some(secret::read(path)?),
        (_, Some(path)) => {
            secret::is_free(path)?;
            Some(secret::draw()?)
        }
        (None, None) => None,
    };
    ask(&args.limits, global, output, async |asking| {
        let item = match &secret {
            None => Item::Immutable(value),
            Some(secret) => {
                let seq = match args.seq {
                    Some(seq) if args.new_key.is_none() => seq,
                    wish => {
                        let next = next(asking, secret, args).await?;
                        wish.unwrap_or(next)
                    }
                };
                Item::signed(secret, args.salt.as_bytes(), seq, value)
            }
        };
        // A secret is put away before anything is signed with it that others see, and not before it is known that
        // there are others.
        let new_key = args.new_key.as_ref().zip(secret.as_ref()).filter(|_| asking.stopped().is_none());
        if let Some((path, secret)) = new_key {
            secret::keep(path, secret)?;
            output.say(&format!("the secret is in {}", shown(path)));
        }
        let goal = Goal::Put { item: item.clone(), instead_of: args.cas };
        let sought = asking.seek(goal, |_| Ok(ControlFlow::Continue(()))).await?;
        if let Some((path, _)) = new_key
            && sought.outcome.answered == 0
        {
            // Nobody has seen it.
            let _ = std::fs::remove_file(path);
        }
        let exit = sought.exit(sought.outcome.stored > 0)?;
        tell(&item, exit, &sought, output)?;
        Ok(exit)
    })
}

/// The number after the newest that is found; 1 where there is none. Fails where nobody answers.
async fn next(asking: &Asking<'_>, secret: &Secret, args: &PutArgs) -> Result<i64, Error> {
    let salt = args.salt.clone().into_bytes();
    let target: NodeId = Item::target_of(&Item::key_of(secret), &salt);
    let mut newest = None;
    let sought = asking
        .seek(Goal::Get { target, salt }, |news| {
            if let TaskUpdate::Item(item) = news {
                newest = item.seq();
            }
            Ok(ControlFlow::Continue(()))
        })
        .await?;
    // Without an answer nobody knows what there is.
    sought.exit(newest.is_some())?;
    match newest {
        None => Ok(1),
        Some(seq) => seq.checked_add(1).ok_or_else(|| {
            Error::new(
                ErrorKind::Answer,
                "last_number",
                "the newest item already has the largest possible number",
            )
            .hint("choose another --salt")
        }),
    }
}

fn tell(item: &Item, exit: Exit, sought: &Sought, output: &Output) -> Result<(), Error> {
    let outcome = &sought.outcome;
    let refused = outcome.refused.map(why);
    if output.json {
        let key = match item {
            Item::Mutable { key, .. } => Some(hex(key)),
            Item::Immutable(_) => None,
        };
        return output.event(&Document {
            schema: "torr.dht.put/1",
            ok: exit == Exit::Done,
            code: exit.code(),
            target: item.target().to_string(),
            key,
            seq: item.seq(),
            stored: outcome.stored,
            refused: refused.map(|(word, _)| word),
            asked: outcome.asked,
            answered: outcome.answered,
            seconds: seconds(sought.time),
        });
    }
    if outcome.stored == 0 {
        summary("no node stored it", false, sought, output);
        if let Some((_, sentence)) = refused {
            output.say(sentence);
        }
        return Ok(());
    }
    output.line(&item.target().to_string())?;
    if let Item::Mutable { key, seq, .. } = item {
        output.say(&format!("public key {}, number {seq}", hex(key)));
    }
    let keeps = if outcome.stored == 1 { "keeps" } else { "keep" };
    let size = units::size(item.value().len() as u64);
    summary(&format!("{} {keeps} {size}", nodes(outcome.stored)), true, sought, output);
    if let Some((_, sentence)) = refused {
        output.warn(&format!("some refused it: {sentence}"));
    }
    Ok(())
}

/// A refusal, for scripts and for people.
const fn why(code: ErrorCode) -> (&'static str, &'static str) {
    match code {
        ErrorCode::OUTDATED => ("outdated", "they store a newer item; set a larger number with --seq N"),
        ErrorCode::CAS_MISMATCH => ("cas", "the newest item does not have the number of --cas"),
        ErrorCode::TOO_LONG => ("too_long", "it is too long for them"),
        ErrorCode::BAD_SIGNATURE => ("bad_signature", "they consider the signature invalid"),
        _ => ("refused", "they gave no reason"),
    }
}
