VALUE = "the neighbour"
