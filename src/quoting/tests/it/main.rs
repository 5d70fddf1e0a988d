//! The embedded CPQ over a real store.

mod adapter;
mod desk;
mod house;
mod races;
mod service;
mod walk;
