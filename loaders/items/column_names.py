"""The column names of a catalogue that fill the fields of an item without --map."""

from reelrank.loaders.fields.field_map import Field

ITEM_FIELDS = (
    Field("id", ("id", "item_id", "video_id", "movie_id", "film_id", "content_id", "asset_id", "imdb_id",
                 "tmdb_id", "tconst", "show_id", "anime_id", "talk_id", "itemid", "videoid", "movieid",
                 "filmid"), required=True),
    Field("title", ("title", "name", "headline", "primary_title", "movie_title", "film_title", "video_title"),
          required=True),
    Field("description", ("description", "overview", "summary", "synopsis", "plot", "abstract")),
    Field("tags", ("tags", "keywords", "labels"), many=True),
    Field("genres", ("genres", "genre", "categories", "category", "listed_in", "major_genre"), many=True),
    Field("people", ("people", "director", "directors", "cast", "actors", "starring", "creator", "creators",
                     "channel", "director_name", "speaker", "speakers", "main_speaker", "stars",
                     "channel_title"), many=True),
    Field("languages", ("languages", "language", "lang", "original_language", "spoken_languages"), many=True,
          one_column=True, singular="language"),
    Field("countries", ("countries", "country", "country_code", "production_country", "production_countries",
                        "origin_country"), many=True, one_column=True, singular="country"),
    Field("published_at", ("published_at", "published", "release_date", "released", "publish_date",
                           "upload_date", "created_at", "date", "year", "release_year", "start_year",
                           "publish_time", "first_air_date", "aired", "title_year"), date=True),
    Field("duration_s", ("duration_s", "duration_ms", "duration_min", "duration_minutes", "duration_seconds",
                         "duration", "runtime", "runtime_min", "runtime_mins", "runtime_minutes",
                         "runtime_seconds", "length", "length_s", "length_min", "length_minutes",
                         "length_seconds", "running_time", "running_time_min"), length=True),
    Field("thumbnail", ("thumbnail", "thumbnail_url", "image", "image_url", "poster", "poster_url",
                        "thumbnail_link")),
)  # fmt: skip
"""Fields of `Item`, in its order, and the column names that fill them without --map."""
CODE_FIELDS = ("languages", "countries")
"""Fields in which NA is a value: the code of Namibia or of the Nauruan language."""
