//! A terminal for the program, and everything it wrote to it.

use std::io::{Read, Write};
use std::sync::mpsc;

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

use super::Scene;
use super::party::TIMEOUT;

/// A program with all its streams on a terminal.
pub struct Terminal {
    child: Box<dyn Child + Send + Sync>,
    master: Box<dyn MasterPty + Send>,
    chunks: mpsc::Receiver<Vec<u8>>,
    screen: vt100::Parser,
    /// Everything the terminal got so far.
    pub bytes: Vec<u8>,
    /// What it showed after each piece of that.
    pub frames: Vec<String>,
}

impl Terminal {
    /// Starts `torr` with these arguments.
    pub fn torr(scene: &Scene, arguments: &[&str], rows: u16, columns: u16) -> Self {
        let mut command = Self::command(scene, env!("CARGO_BIN_EXE_torr"));
        command.args(arguments);
        Self::start(command, rows, columns)
    }

    /// A command with nothing of the caller's environment.
    pub fn command(scene: &Scene, program: &str) -> CommandBuilder {
        let mut command = CommandBuilder::new(program);
        command.env_clear();
        command.cwd(scene.path());
        for (name, value) in [("LANG", "C.UTF-8"), ("TERM", "xterm"), ("TZ", "UTC")] {
            command.env(name, value);
        }
        for (name, value) in super::ALONE {
            command.env(name, value);
        }
        command.env("HOME", scene.path());
        command
    }

    /// Starts a command on a terminal of this size.
    pub fn start(command: CommandBuilder, rows: u16, columns: u16) -> Self {
        let pair = native_pty_system().openpty(size(rows, columns)).unwrap();
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let mut reader = pair.master.try_clone_reader().unwrap();
        let (send, chunks) = mpsc::channel();
        std::thread::spawn(move || {
            let mut chunk = [0; 4096];
            // A terminal whose last program has ended gives an error instead of an end.
            while let Ok(len @ 1..) = reader.read(&mut chunk) {
                if send.send(chunk[..len].to_vec()).is_err() {
                    break;
                }
            }
        });
        let screen = screen(rows, columns);
        Self { child, master: pair.master, chunks, screen, bytes: Vec::new(), frames: Vec::new() }
    }

    /// Takes in what comes until this is to be seen.
    pub fn wait_for(&mut self, text: &str) {
        while !self.contents().contains(text) {
            assert!(self.take(), "'{text}' never came: {:#?}", self.frames);
        }
    }

    /// Takes in the rest and says the exit code.
    pub fn end(&mut self) -> u32 {
        while self.take() {}
        self.child.wait().unwrap().exit_code()
    }

    /// What is to be seen now.
    pub fn contents(&self) -> String {
        self.screen.screen().contents()
    }

    /// Presses keys.
    pub fn press(&mut self, keys: &str) {
        let mut writer = self.master.take_writer().unwrap();
        writer.write_all(keys.as_bytes()).unwrap();
        writer.flush().unwrap();
    }

    /// Gives the terminal another size.
    pub fn resize(&mut self, rows: u16, columns: u16) {
        self.master.resize(size(rows, columns)).unwrap();
        self.screen.screen_mut().set_size(rows.try_into().unwrap(), columns.try_into().unwrap());
    }

    /// Takes in the next piece; says whether there was one.
    fn take(&mut self) -> bool {
        match self.chunks.recv_timeout(TIMEOUT) {
            Ok(chunk) => {
                self.screen.process(&chunk);
                self.bytes.extend(chunk);
                self.frames.push(self.contents());
                true
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => false,
            Err(mpsc::RecvTimeoutError::Timeout) => {
                self.child.kill().unwrap();
                panic!("nothing happens any more: {:?}", self.frames);
            }
        }
    }
}

/// A screen in memory.
pub fn screen(rows: u16, columns: u16) -> vt100::Parser {
    vt100::Parser::new(rows.try_into().unwrap(), columns.try_into().unwrap(), 0)
}

fn size(rows: u16, columns: u16) -> PtySize {
    PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 }
}
