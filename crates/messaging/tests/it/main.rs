//! The post office against a real PostgreSQL and a real RabbitMQ, with the network cut.

mod consuming;
mod office;
mod publishing;
