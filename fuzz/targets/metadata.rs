//! The messages of `ut_metadata` (BEP 9).

use torr::proto::extended::{METADATA_PIECE, MetadataMessage, metadata_piece_len, metadata_pieces};

pub fn run(data: &[u8]) {
    let Ok(message) = MetadataMessage::decode(data) else { return };
    if let MetadataMessage::Data { bytes, total, piece } = &message {
        assert!((1..=METADATA_PIECE as usize).contains(&bytes.len()));
        assert!(data.ends_with(bytes), "a piece is what follows the dictionary");
        if let Some(total) = *total {
            let len = metadata_piece_len(total, *piece);
            assert!(len <= METADATA_PIECE);
            assert_eq!(len > 0, *piece < metadata_pieces(total), "only the pieces there are have bytes");
        }
    }
    if message != MetadataMessage::Unknown {
        assert_eq!(MetadataMessage::decode(&message.encode()), Ok(message));
    }
}
