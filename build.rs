//! Ends the build on systems that torr does not run on, and tells the program what it was built with, for
//! `torr version -v`.

use std::env;
use std::fs;
use std::process::{Command, exit};

fn main() {
    let system = env::var("CARGO_CFG_TARGET_OS").unwrap_or_default();
    if system != "linux" {
        eprintln!("torr runs on Linux only; this build is for {system}");
        exit(1);
    }
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=TORR_COMMIT");
    println!("cargo:rustc-env=TORR_TARGET={}", env::var("TARGET").unwrap_or_default());
    println!("cargo:rustc-env=TORR_PROFILE_NAME={}", env::var("PROFILE").unwrap_or_default());
    println!("cargo:rustc-env=TORR_RUSTC={}", rustc().unwrap_or_default());
    println!("cargo:rustc-env=TORR_COMMIT={}", commit().unwrap_or_default());
}

fn rustc() -> Option<String> {
    let output = Command::new(env::var_os("RUSTC")?).arg("--version").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    // "rustc 1.95.0 (59807616e 2026-04-14)": the number is what matters.
    text.split_whitespace().nth(1).map(str::to_owned)
}

/// The commit that whoever builds names, or the one that a published package says it was made of.
/// A working copy is asked nothing: it may be changed, and each commit would build everything anew.
fn commit() -> Option<String> {
    let named = env::var("TORR_COMMIT").ok().filter(|text| !text.is_empty());
    let found = named.or_else(|| {
        let text = fs::read_to_string(".cargo_vcs_info.json").ok()?;
        text.split("\"sha1\"").nth(1)?.split('"').nth(1).map(str::to_owned)
    })?;
    let whole = (7..=64).contains(&found.len()) && found.bytes().all(|byte| byte.is_ascii_hexdigit());
    whole.then_some(found)
}
