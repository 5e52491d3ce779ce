/* Times in log lines. An access line costs a formatted time only once a second. */
#include "log_parts.h"

#include <stdio.h>
#include <time.h>

static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
static const char days[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};

static struct { int64_t seconds; char text[LOG_TIME_CLF_BYTES + 40]; } clf = {.seconds = -1}; /* the loop thread's */

const char *log_time_clf(int64_t seconds)
{
    if (seconds == clf.seconds)
        return clf.text;
    struct tm tm;
    time_t when = (time_t)seconds;
    localtime_r(&when, &tm);
    long offset = tm.tm_gmtoff / 60, minutes = offset < 0 ? -offset : offset;
    snprintf(clf.text, sizeof clf.text, "[%02d/%s/%04d:%02d:%02d:%02d %c%02ld%02ld]", tm.tm_mday, months[tm.tm_mon % 12], (tm.tm_year + 1900) % 10000,
             tm.tm_hour, tm.tm_min, tm.tm_sec, offset < 0 ? '-' : '+', minutes / 60, minutes % 60);
    clf.seconds = seconds;
    return clf.text;
}

void log_time_error(char out[LOG_TIME_ERROR_BYTES])
{
    struct timespec now;
    struct tm tm;
    char text[96];
    clock_gettime(CLOCK_REALTIME, &now);
    localtime_r(&now.tv_sec, &tm);
    snprintf(text, sizeof text, "[%s %s %02d %02d:%02d:%02d.%06ld %04d]", days[tm.tm_wday % 7], months[tm.tm_mon % 12], tm.tm_mday, tm.tm_hour,
             tm.tm_min, tm.tm_sec, now.tv_nsec / 1000, (tm.tm_year + 1900) % 10000);
    memcpy(out, text, LOG_TIME_ERROR_BYTES);
}
