//! HTTP trackers, for client and tracker: queries (BEP 3, 7, 23, 48) and replies (BEP 3, 7, 23, 24, 31, 48).

mod query;
mod reply;

pub use query::{
    AnnounceQuery, MAX_SCRAPED, QueryError, UrlError, announce_url, parse_announce, parse_scrape, scrape_url,
};
pub use reply::{
    MAX_PEERS, ReplyError, read_announce, read_scrape, write_announce, write_failure, write_scrape,
};
pub(super) use reply::{compact_v4, compact_v6, put_compact};
