//! The program on a terminal at which somebody types.

use std::io::{Read, Write};
use std::sync::mpsc;
use std::time::Instant;

use portable_pty::{CommandBuilder, PtySize, native_pty_system};

use super::Scene;
use super::party::TIMEOUT;

/// Runs the program with all its streams on a terminal of 24 lines of 80 columns; types each second
/// text as soon as the first one is on the screen. Says what was on the screen at the end, and the code.
pub fn typed(
    scene: &Scene,
    arguments: &[&str],
    environment: &[(&str, &str)],
    script: &[(&str, &str)],
) -> (String, u32) {
    let size = PtySize { rows: 24, cols: 80, pixel_width: 0, pixel_height: 0 };
    let pair = native_pty_system().openpty(size).unwrap();
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_torr"));
    command.env_clear();
    command.cwd(scene.path());
    command.args(arguments);
    command.env("HOME", scene.path());
    for (name, value) in super::ALONE {
        command.env(name, value);
    }
    for (name, value) in [("LANG", "C.UTF-8"), ("TERM", "xterm"), ("TZ", "UTC")].iter().chain(environment) {
        command.env(name, value);
    }
    let mut child = pair.slave.spawn_command(command).unwrap();
    drop(pair.slave);
    let mut reader = pair.master.try_clone_reader().unwrap();
    let mut writer = pair.master.take_writer().unwrap();
    let (send, chunks) = mpsc::channel();
    std::thread::spawn(move || {
        let mut chunk = [0; 4096];
        while let Ok(len @ 1..) = reader.read(&mut chunk) {
            if send.send(chunk[..len].to_vec()).is_err() {
                break;
            }
        }
    });
    let mut screen = vt100::Parser::new(24.try_into().unwrap(), 80.try_into().unwrap(), 0);
    let mut script = script.iter();
    let mut next = script.next();
    let begun = Instant::now();
    while let Some(left) = TIMEOUT.checked_sub(begun.elapsed()) {
        match chunks.recv_timeout(left) {
            Ok(chunk) => screen.process(&chunk),
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                assert!(next.is_none(), "{next:?} never came: {}", screen.screen().contents());
                return (screen.screen().contents(), child.wait().unwrap().exit_code());
            }
            Err(mpsc::RecvTimeoutError::Timeout) => break,
        }
        if let Some((wait, text)) = next
            && screen.screen().contents().contains(wait)
        {
            writer.write_all(text.as_bytes()).unwrap();
            next = script.next();
        }
    }
    child.kill().unwrap();
    panic!("nothing happens any more: {}", screen.screen().contents());
}
