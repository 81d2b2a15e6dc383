//! `torr dht get`: an item that nodes keep for others (BEP 44).

use std::ops::ControlFlow;

use clap::Args;
use serde::Serialize;

use crate::app::Error;
use crate::app::dht::{Goal, TaskUpdate};
use crate::base::Untrusted;
use crate::face::cli::args::global::GlobalArgs;
use crate::face::cli::commands::show::raw::Raw;
use crate::face::cli::exit::Exit;
use crate::face::cli::json::hex;
use crate::face::cli::output::Output;
use crate::proto::bencode::{Limits, Tree};
use crate::proto::krpc::{Item, MAX_SALT};

use super::asking::{ask, seconds};
use super::lookup::summary;
use super::reach::Limited;
use super::{target, value};

/// Get an item stored in the DHT (BEP 44)
///
/// The target proves that the item is genuine. A string is printed as raw bytes, any other value as bencode.
/// For a mutable item, prints the newest version found.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  torr dht get e5f96f6f38320f0f33959cb4d3d656452117aadb
  torr dht get e5f96f6f38320f0f33959cb4d3d656452117aadb --json | jq .value")]
pub struct GetArgs {
    /// Target of the item, 40 hexadecimal digits; or its owner's public key, 64 digits
    #[arg(value_name = "TARGET")]
    target: String,
    /// Salt of a mutable item
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true, value_parser = salt)]
    salt: String,
    /// Print the value as bencode, even a string
    #[arg(long)]
    bencoded: bool,
    #[command(flatten)]
    limits: Limited,
}

#[derive(Serialize)]
struct Document<'a, 't> {
    schema: &'static str,
    ok: bool,
    code: u8,
    target: String,
    value: Option<Raw<'a, 't>>,
    bencode: Option<String>,
    key: Option<String>,
    seq: Option<i64>,
    asked: u32,
    answered: u32,
    seconds: f64,
}

/// Gets it.
pub fn run(args: &GetArgs, global: &GlobalArgs, output: &Output) -> Result<Exit, Error> {
    let target = target::item(&args.target, args.salt.as_bytes())?;
    let goal = Goal::Get { target, salt: args.salt.clone().into_bytes() };
    ask(&args.limits, global, output, async |asking| {
        let mut item: Option<Item> = None;
        let mut sought = asking
            .seek(goal, |news| {
                if let TaskUpdate::Item(found) = news {
                    let whole = found.seq().is_none();
                    item = Some(found);
                    if whole {
                        // It proves itself: there is no other.
                        return Ok(ControlFlow::Break(()));
                    }
                }
                Ok(ControlFlow::Continue(()))
            })
            .await?;
        if item.is_some() {
            // One that proves itself ends the search before its steps are told.
            sought.outcome.asked = sought.outcome.asked.max(1);
            sought.outcome.answered = sought.outcome.answered.max(1);
        }
        let exit = sought.exit(item.is_some())?;
        let raw = item.as_ref().map(Item::value);
        if output.json {
            let tree = raw.map(|raw| Tree::parse(raw, Limits::KRPC)).and_then(Result::ok);
            let key = match &item {
                Some(Item::Mutable { key, .. }) => Some(hex(key)),
                _ => None,
            };
            output.event(&Document {
                schema: "torr.dht.get/1",
                ok: exit == Exit::Done,
                code: exit.code(),
                target: target.to_string(),
                value: tree.as_ref().map(|tree| Raw::new(tree.root())),
                bencode: raw.map(hex),
                key,
                seq: item.as_ref().and_then(Item::seq),
                asked: sought.outcome.asked,
                answered: sought.outcome.answered,
                seconds: seconds(sought.time),
            })?;
            return Ok(exit);
        }
        match raw {
            Some(raw) => {
                let bytes = if args.bencoded { raw.to_vec() } else { value::content(raw) };
                if output.stdout_tty {
                    let text = Untrusted::from_bytes(&bytes);
                    text.raw().lines().try_for_each(|line| output.line(&Untrusted::new(line).clean()))?;
                } else {
                    output.data(&bytes)?;
                }
                let number = item.as_ref().and_then(Item::seq);
                let number = number.map(|seq| format!(" number {seq}")).unwrap_or_default();
                summary(&format!("item{number}"), true, &sought, output);
            }
            None => summary("no such item", false, &sought, output),
        }
        Ok(exit)
    })
}

/// Reads a salt.
pub fn salt(text: &str) -> Result<String, String> {
    if text.len() > MAX_SALT {
        return Err(format!("a salt has at most {MAX_SALT} bytes"));
    }
    Ok(text.to_owned())
}
