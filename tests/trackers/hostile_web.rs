//! A web server that is asked for a torrent file and takes its time.

use std::time::Duration;

use torr::engine::web::{Rules, WebError, fetch};

use super::script::{Act, Script};

/// The usual patience, and less than usual bytes.
fn usual() -> Rules {
    Rules::new(None, 1 << 20)
}

async fn why(act: Act, rules: Rules) -> WebError {
    let script = Script::start(act).await;
    fetch(&format!("http://{}/x.torrent", script.addr), &rules, |_, _| {}).await.unwrap_err()
}

#[tokio::test]
async fn nothing_is_waited_for_beyond_its_time() {
    let soon = Duration::from_millis(100);
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nd".to_vec();
    let stalled = why(Act::Stall(head.clone()), Rules { stall: soon, ..usual() }).await;
    assert!(stalled.to_string().ends_with("stopped sending"), "{stalled}");
    let silent = why(Act::Stall(Vec::new()), Rules { stall: soon, connect: soon, ..usual() }).await;
    assert!(silent.to_string().ends_with("does not answer"), "{silent}");
    // What comes byte by byte ends with the time for all of it: a pour of header lines never makes an answer.
    let slow = why(Act::Stall(head), Rules { deadline: soon, ..usual() }).await;
    assert!(slow.to_string().contains("did not send it within"), "{slow}");
    let endless = Act::Pour(b"HTTP/1.1 200 OK\r\n".to_vec(), b"x: y\r\n".to_vec());
    assert!(matches!(why(endless, usual()).await, WebError::Unreachable(_)));
}

#[tokio::test]
async fn what_comes_is_counted_as_it_comes() {
    let script = Script::start(Act::ok(&[b'x'; 5000])).await;
    let told = std::sync::Mutex::new(Vec::new());
    let url = format!("http://{}/", script.addr);
    let body = fetch(&url, &usual(), |got, size| told.lock().unwrap().push((got, size))).await.unwrap();
    let told = told.into_inner().unwrap();
    assert_eq!(
        (body.len(), told.first(), told.last()),
        (5000, Some(&(0, Some(5000))), Some(&(5000, Some(5000))))
    );
    let exact = Rules::new(None, 5000);
    assert!(fetch(&url, &exact, |_, _| {}).await.is_ok());
    let less = Rules::new(None, 4999);
    assert!(matches!(fetch(&url, &less, |_, _| {}).await, Err(WebError::TooLarge(_))));
    // No byte leaves from an address that was not asked for.
    let elsewhere = Rules::new(Some("::1".parse().unwrap()), 5000);
    assert!(matches!(fetch(&url, &elsewhere, |_, _| {}).await, Err(WebError::Unreachable(_))));
}
