//! What a client is sent on a channel, at its pace.

use bytes::Bytes;
use russh::ChannelWriteHalf;
use russh::server::Msg;
use tokio::time::timeout;
use tokio_util::sync::DropGuard;

use crate::limits::STALL;

/// The number of the stream that a client shows to its user.
const STDERR: u32 = 1;

/// The client is gone, or reads nothing.
#[derive(Debug)]
pub(crate) struct Gone;

/// A channel, for whoever answers on it.
pub(crate) struct Output {
    channel: ChannelWriteHalf<Msg>,
    /// Its place among the channels of the connection, given back with this.
    place: DropGuard,
}

impl Output {
    pub(crate) fn new(channel: ChannelWriteHalf<Msg>, place: DropGuard) -> Self {
        Self { channel, place }
    }

    /// Sends what the client's program reads.
    pub(crate) async fn data(&self, bytes: Bytes) -> Result<(), Gone> {
        match timeout(STALL, self.channel.data_bytes(bytes)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Gone),
        }
    }

    /// Sends what the client's user reads.
    pub(crate) async fn say(&self, text: &str) -> Result<(), Gone> {
        let text = Bytes::from(format!("{}\n", text.trim_end()));
        match timeout(STALL, self.channel.extended_data_bytes(STDERR, text)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Gone),
        }
    }

    /// Ends the channel as a program does that exits with this status.
    pub(crate) async fn end(self, status: u32) {
        let Self { channel, place } = self;
        let end = async {
            channel.eof().await?;
            channel.exit_status(status).await?;
            // A client that has heard of the end may open the next one.
            drop(place);
            channel.close().await
        };
        // A client that reads nothing is ended by others.
        let _ = timeout(STALL, end).await;
    }
}
