//! Lists as the API pages them: `edges`, `nodes`, `pageInfo`.
use async_graphql::{Error, ErrorExtensions, SimpleObject};

/// The most entries one page may have. Source: Shopify's documentation, "Pagination".
const PAGE_LIMIT: i32 = 250;

#[derive(Debug, Clone, SimpleObject)]
pub struct PageInfo {
    end_cursor: Option<String>,
    has_next_page: bool,
    has_previous_page: bool,
    start_cursor: Option<String>,
}

/// Which part of a list is wanted.
#[derive(Debug, Default)]
pub struct Paging {
    pub first: Option<i32>,
    pub after: Option<String>,
    pub last: Option<i32>,
    pub before: Option<String>,
    pub reverse: Option<bool>,
}

/// A part of a list, each entry with its cursor.
pub struct Page<T> {
    pub entries: Vec<(String, T)>,
    pub info: PageInfo,
}

impl Paging {
    /// Cuts the page out of a list that is in ascending order.
    pub fn cut<T>(&self, mut all: Vec<(String, T)>) -> Result<Page<T>, Error> {
        let size = match (self.first, self.last) {
            (None, None) => return Err(bad("you must provide one of first or last")),
            (Some(_), Some(_)) => return Err(bad("providing both first and last is not supported")),
            (Some(n), None) | (None, Some(n)) => n,
        };
        if !(0..=PAGE_LIMIT).contains(&size) {
            return Err(bad("first and last must be from 0 to 250"));
        }
        let size = usize::try_from(size).map_err(|_| bad("first and last must be from 0 to 250"))?;
        if self.reverse == Some(true) {
            all.reverse();
        }
        let place = |cursor: &str| all.iter().position(|(have, _)| have == cursor).ok_or_else(|| bad("Invalid cursor."));
        let from = self.after.as_deref().map(place).transpose()?.map_or(0, |place| place + 1);
        let to = self.before.as_deref().map(place).transpose()?.unwrap_or(all.len()).max(from);
        let (from, to) =
            if self.first.is_some() { (from, to.min(from + size)) } else { (to.saturating_sub(size).max(from), to) };
        let (has_next_page, has_previous_page) = (to < all.len(), from > 0);
        let entries: Vec<_> = all.drain(from..to).collect();
        let cursor = |entry: Option<&(String, T)>| entry.map(|(cursor, _)| cursor.clone());
        let info = PageInfo {
            start_cursor: cursor(entries.first()),
            end_cursor: cursor(entries.last()),
            has_next_page,
            has_previous_page,
        };
        Ok(Page { entries, info })
    }
}

fn bad(message: &str) -> Error {
    Error::new(message).extend_with(|_, extensions| extensions.set("code", "BAD_REQUEST"))
}

/// Declares a connection and its edge, under the names of the schema.
macro_rules! connection {
    ($connection:ident, $edge:ident, $node:ty) => {
        #[derive(Clone, async_graphql::SimpleObject)]
        pub struct $edge {
            cursor: String,
            node: $node,
        }

        #[derive(Clone, async_graphql::SimpleObject)]
        pub struct $connection {
            edges: Vec<$edge>,
            nodes: Vec<$node>,
            page_info: $crate::admin::schema::connection::PageInfo,
        }

        impl From<$crate::admin::schema::connection::Page<$node>> for $connection {
            fn from(page: $crate::admin::schema::connection::Page<$node>) -> Self {
                let nodes = page.entries.iter().map(|(_, node)| node.clone()).collect();
                let edges = page.entries.into_iter().map(|(cursor, node)| $edge { cursor, node }).collect();
                Self { edges, nodes, page_info: page.info }
            }
        }
    };
}
pub(super) use connection;

#[cfg(test)]
mod tests {
    use super::*;

    fn list() -> Vec<(String, u8)> {
        (1..=5).map(|n| (format!("c{n}"), n)).collect()
    }

    fn numbers(paging: &Paging) -> Vec<u8> {
        paging.cut(list()).unwrap().entries.into_iter().map(|(_, n)| n).collect()
    }

    #[test]
    fn the_newest_come_first_when_reversed() {
        assert_eq!(numbers(&Paging { first: Some(2), reverse: Some(true), ..Paging::default() }), [5, 4]);
    }

    #[test]
    fn a_page_goes_on_after_a_cursor() {
        let page = Paging { first: Some(2), after: Some("c2".into()), ..Paging::default() }.cut(list()).unwrap();
        assert_eq!(page.info.end_cursor.as_deref(), Some("c4"));
        assert!(page.info.has_next_page && page.info.has_previous_page);
    }

    #[test]
    fn the_last_ones_keep_their_order() {
        assert_eq!(numbers(&Paging { last: Some(2), ..Paging::default() }), [4, 5]);
    }

    #[test]
    fn a_page_without_a_size_is_refused() {
        assert!(Paging::default().cut(list()).is_err());
        assert!(Paging { first: Some(251), ..Paging::default() }.cut(list()).is_err());
    }
}
