use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::running::{Running, rent};

/// Sends a booking up to its body. The service asks for the body once it is in the handler.
pub(crate) async fn begin_booking(app: &Running) -> TcpStream {
    let address = app.url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST /tenant1/journal-entries HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\nExpect: 100-continue\r\n\r\n",
        app.token("tenant1"),
        rent().to_string().len(),
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut interim = [0; 25];
    stream.read_exact(&mut interim).await.unwrap();
    assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream
}

#[tokio::test]
async fn a_request_under_way_is_answered_after_the_signal_to_stop() {
    let app = Running::start().await;
    let mut stream = begin_booking(&app).await;

    app.stop.send(()).unwrap();
    stream.write_all(rent().to_string().as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();

    assert!(answer.starts_with("HTTP/1.1 201 Created\r\n"), "{answer}");
    app.serving.await.unwrap();
    let address = app.url.strip_prefix("http://").unwrap();
    assert!(TcpStream::connect(address).await.is_err(), "somebody still listens");
}

#[tokio::test]
async fn a_request_that_does_not_end_is_given_up() {
    let app = Running::start().await;
    let _stuck = begin_booking(&app).await;

    // From here on time passes as soon as there is nothing else to do.
    tokio::time::pause();
    app.stop.send(()).unwrap();

    app.serving.await.unwrap();
}
