//! Content to share: generated from a seed, never stored.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use torr::base::Rng;

/// A directory of files with their bytes, in the order of their paths.
pub struct Content {
    name: String,
    files: Vec<(String, Vec<u8>)>,
}

impl Content {
    /// The name of the awkward content.
    pub const AWKWARD: &str = "Inhalt für alle";

    /// Files of these paths (relative, with `/`) and lengths below a directory `name`.
    pub fn new(seed: u64, name: &str, files: &[(&str, usize)]) -> Self {
        let mut rng = Rng::new(seed);
        let mut files: Vec<_> = files
            .iter()
            .map(|&(path, len)| {
                let mut bytes: Vec<u8> =
                    (0..len.div_ceil(8)).flat_map(|_| rng.next_u64().to_le_bytes()).collect();
                bytes.truncate(len);
                (path.to_owned(), bytes)
            })
            .collect();
        files.sort();
        Self { name: name.to_owned(), files }
    }

    /// Six mebibytes with what is awkward: odd lengths, an empty file, one of a single byte, several files in one
    /// piece, nested directories and names beyond ASCII.
    pub fn awkward(seed: u64) -> Self {
        let files = [
            ("a first.bin", 3 * 65536 + 1),
            ("empty", 0),
            ("nested/deep/er/data.bin", 3_000_017),
            ("nested/one byte", 1),
            ("nested/Größe/文件 №1.bin", 1_048_577),
            ("small/a", 300),
            ("small/b", 16384),
            ("small/c", 16383),
            ("z last", 1_904_099),
        ];
        Self::new(seed, Self::AWKWARD, &files)
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Paths below the directory, and bytes.
    pub fn files(&self) -> &[(String, Vec<u8>)] {
        &self.files
    }

    /// All files as one line of bytes.
    pub fn line(&self) -> Vec<u8> {
        self.files.iter().flat_map(|(_, bytes)| bytes.clone()).collect()
    }

    /// Writes everything below `dir`.
    pub fn write(&self, dir: &Path) {
        for (path, bytes) in &self.files {
            self.write_file(dir, path, bytes);
        }
    }

    /// Writes, below `dir`, only the pieces for which `has` says so, and zeros around them. Files without any byte of
    /// these pieces are not made.
    pub fn write_part(&self, dir: &Path, piece_len: usize, has: impl Fn(usize) -> bool) {
        let mut line = self.line();
        for (index, piece) in line.chunks_mut(piece_len).enumerate() {
            if !has(index) {
                piece.fill(0);
            }
        }
        let mut rest = &line[..];
        for (path, bytes) in &self.files {
            let (part, after) = rest.split_at(bytes.len());
            rest = after;
            if part.iter().any(|byte| *byte != 0) {
                self.write_file(dir, path, part);
            }
        }
    }

    fn write_file(&self, dir: &Path, path: &str, bytes: &[u8]) {
        let path = dir.join(&self.name).join(path);
        fs::create_dir_all(path.parent().expect("a file is in a directory")).expect("a directory");
        fs::write(path, bytes).expect("a file of the content");
    }

    /// What is missing or different below `dir`, one sentence; `None` where all is there. Files without bytes may be
    /// absent if `sparing_empty`.
    pub fn difference(&self, dir: &Path, sparing_empty: bool) -> Option<String> {
        self.files.iter().find_map(|(path, bytes)| match fs::read(dir.join(&self.name).join(path)) {
            Err(error) if error.kind() == ErrorKind::NotFound && bytes.is_empty() && sparing_empty => None,
            Err(error) => Some(format!("{path}: {error}")),
            Ok(found) if found.len() != bytes.len() => {
                Some(format!("{path}: {} bytes instead of {}", found.len(), bytes.len()))
            }
            Ok(found) if found == *bytes => None,
            Ok(found) => {
                let at = found.iter().zip(bytes).position(|(a, b)| a != b)?;
                Some(format!("{path}: differs from byte {at}"))
            }
        })
    }
}
