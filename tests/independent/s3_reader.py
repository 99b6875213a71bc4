from tests.independent.place import Place


def read(place: Place) -> None:
    pass
