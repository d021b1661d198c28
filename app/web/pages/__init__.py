"""The web page: server-rendered, for people. Works without JavaScript, for it has none."""
