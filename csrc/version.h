/* Which pyhost this is, and how much of it ServerTokens lets the world know. The number is also in pyproject.toml and pyhost/__init__.py. */
#ifndef PYHOST_VERSION_H
#define PYHOST_VERSION_H

#define PYHOST_VERSION "0.1.0"

/* tokens: 0 Full, 1 OS, 2 Minor, 3 Minimal, 4 Major, 5 Prod. */
static inline const char *version_words(int tokens)
{
    static const char *const words[] = {"pyhost/" PYHOST_VERSION " (Unix)", "pyhost/" PYHOST_VERSION " (Unix)", "pyhost/0.1",
                                        ("pyhost/" PYHOST_VERSION), "pyhost/0", "pyhost"};
    return words[tokens >= 0 && tokens <= 5 ? tokens : 3];
}

#endif
