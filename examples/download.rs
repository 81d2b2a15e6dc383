//! Downloads a torrent with the library alone: `cargo run --example download -- FILE.torrent FOLDER`.

use std::error::Error;

use torr::engine::{Add, Engine, EngineConfig, Event};
use torr::proto::metainfo::Metainfo;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(file), Some(folder)) = (arguments.next(), arguments.next()) else {
        return Err("usage: download FILE.torrent FOLDER".into());
    };
    let torrent = Metainfo::parse(&std::fs::read(file)?)?;
    let mut engine = Engine::start(EngineConfig::default()).await?;
    let mut events = engine.events().expect("nobody has taken the events yet");
    let id = engine.add(Add::new(torrent, std::path::PathBuf::from(folder)));
    let mut views = engine.views();
    loop {
        tokio::select! {
            event = events.recv() => match event {
                Some(Event::Done { id: done }) if done == id => break,
                Some(Event::Failed { fault, .. }) => return Err(fault.into()),
                Some(_) => {}
                None => return Err("the engine has ended".into()),
            },
            Ok(()) = views.changed() => {
                for row in &views.borrow_and_update().torrents {
                    println!("{} {:.1} %: {}", row.state.word(), row.progress() * 100.0, row.reason.text);
                }
            }
        }
    }
    engine.stop().await;
    Ok(())
}
