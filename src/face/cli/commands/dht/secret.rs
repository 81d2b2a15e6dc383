//! The secret of an owner of items, in a file that nobody else may read.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use crate::app::quoted;
use crate::app::{Error, ErrorKind, shown};
use crate::face::cli::json::hex;

use super::target::digits;

/// The most bytes of a file that are looked at.
const LONGEST: u64 = 4096;

/// An ed25519 seed.
pub type Secret = [u8; 32];

/// Draws a secret.
pub fn draw() -> Result<Secret, Error> {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret)
        .map_err(|error| Error::new(ErrorKind::Internal, "internal", format!("no randomness: {error}")))?;
    Ok(secret)
}

/// Whether a new file can have this name; without a promise that it can a moment later.
pub fn is_free(path: &Path) -> Result<(), Error> {
    if path.symlink_metadata().is_ok() { Err(taken(path)) } else { Ok(()) }
}

/// Puts a secret into a new file.
pub fn keep(path: &Path, secret: &Secret) -> Result<(), Error> {
    let text = format!(
        "# The secret of an owner of items in the DHT (ed25519, BEP 44).\n\
         # Whoever knows it can replace them; without it nobody can.\n{}\n",
        hex(secret)
    );
    let written =
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()
        });
    written.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => taken(path),
        _ => Error::disk("create", path, &error),
    })
}

fn taken(path: &Path) -> Error {
    Error::new(ErrorKind::Disk, "foreign_data", format!("{} already exists", shown(path)))
        .hint(format!("--key {} uses the secret in it, another name makes a new one", quoted(path)))
}

/// Reads the secret in a file. One that others may read is none.
pub fn read(path: &Path) -> Result<Secret, Error> {
    let failed = |error: &io::Error| Error::disk("read", path, error);
    let file = File::open(path).map_err(|error| failed(&error))?;
    let about = file.metadata().map_err(|error| failed(&error))?;
    if about.is_file() && about.permissions().mode() & 0o077 != 0 {
        let message = format!("others on this machine may read {}", shown(path));
        return Err(Error::new(ErrorKind::Usage, "not_secret", message)
            .hint(format!("to protect it: chmod 600 {}", quoted(path))));
    }
    let mut text = String::new();
    let read = file.take(LONGEST).read_to_string(&mut text);
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let lines: Vec<&str> = lines.collect();
    match (read, &lines[..]) {
        (Err(error), _) if error.kind() != io::ErrorKind::InvalidData => Err(failed(&error)),
        (Ok(_), [line]) if digits::<32>(line).is_some() => Ok(digits(line).unwrap_or_default()),
        _ => {
            let message =
                format!("{} does not contain a secret (a line of 64 hexadecimal digits)", shown(path));
            Err(Error::new(ErrorKind::Input, "malformed", message).hint("--new-key FILE makes one"))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_secret_is_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let secret = draw().unwrap();
        assert_eq!(is_free(&path), Ok(()));
        keep(&path, &secret).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(read(&path), Ok(secret));
        let again = keep(&path, &[1; 32]).unwrap_err();
        assert_eq!((again.kind, read(&path)), (ErrorKind::Disk, Ok(secret)), "nothing is lost");
        assert_eq!(is_free(&path), Err(again));
        assert_ne!(draw().unwrap(), secret);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let refused = read(&path).unwrap_err();
        assert_eq!((refused.kind, refused.word), (ErrorKind::Usage, "not_secret"));
    }

    #[test]
    fn what_is_no_secret_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let two = format!("{0}\n{0}\n", "ab".repeat(32));
        for bad in [&b""[..], b"# only words\n", b"abcd\n", b"\xff\xfe", two.as_bytes()] {
            fs::write(&path, bad).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            assert_eq!(read(&path).unwrap_err().kind, ErrorKind::Input, "{}", bad.escape_ascii());
        }
        assert_eq!(read(&folder.path().join("none")).unwrap_err().kind, ErrorKind::Disk);
    }
}
