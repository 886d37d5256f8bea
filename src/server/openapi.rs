pub fn reply() -> warp::reply::Response {
    Default::default()
}
