"""The web page: server-rendered, for people."""

from flask import Blueprint

from app.search.stories import Service


def pages(_service: Service) -> Blueprint:
    site = Blueprint("pages", __name__)

    @site.get("/")
    def home() -> str:
        return "<!doctype html><title>reelrank</title><h1>reelrank</h1>"

    return site
