from data.run import environment

environment.prepare(trains=True)
