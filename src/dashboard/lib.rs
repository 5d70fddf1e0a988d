//! The dashboard: pages for people, made on the server.
//!
//! It is one more client of the API: every page asks the same routes as everybody else, with the scopes of the token that
//! the person logged in with, and knows their JSON only. So there is nothing that a page can do and a program cannot, and
//! no second door to guard. Pages are whole without JavaScript; with it they follow what happens by themselves.

mod asked;
mod assets;
mod chart;
mod conflicts;
mod connections;
mod cookie;
mod doors;
mod fields;
mod home;
mod house;
mod letters;
mod live;
mod logins;
mod ownership;
mod page;
mod quote;
mod reconcile;
mod replays;
mod sessions;
mod sync;
mod syncs;
mod text;
mod ties;
mod undo;
mod when;

pub use doors::{PAGES, Page};
pub use house::over;
