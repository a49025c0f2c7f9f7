// SPDX-License-Identifier: GPL-2.0-only
/* A JSON writer that knows where the commas go. */
#include <inttypes.h>

#include "json.h"

/*
 * How many bytes the character in UTF-8 has that @s begins with, 0 if it is none
 * (RFC 3629): the kernel takes any bytes for a name.
 */
static int utf8_length(const char *s)
{
	const unsigned char *c = (const unsigned char *)s;
	int i, len = c[0] < 0x80 ? 1 :
		     c[0] < 0xc2 ? 0 :
		     c[0] < 0xe0 ? 2 :
		     c[0] < 0xf0 ? 3 :
		     c[0] < 0xf5 ? 4 :
				   0;

	for (i = 1; i < len; i++)
		if ((c[i] & 0xc0) != 0x80)
			return 0;
	/* Too long for what it is, a surrogate, or past the last one. */
	if ((c[0] == 0xe0 && c[1] < 0xa0) || (c[0] == 0xed && c[1] >= 0xa0) ||
	    (c[0] == 0xf0 && c[1] < 0x90) || (c[0] == 0xf4 && c[1] >= 0x90))
		return 0;
	return len;
}

static void put_string(struct json *js, const char *s)
{
	fputc('"', js->file);
	while (*s) {
		unsigned char c = (unsigned char)*s;
		int len = utf8_length(s);

		if (!len)
			fputs("\\ufffd", js->file);
		else if (c == '"' || c == '\\')
			fprintf(js->file, "\\%c", c);
		else if (c < ' ')
			fprintf(js->file, "\\u%04x", c);
		else
			fwrite(s, 1, (size_t)len, js->file);
		s += len ? len : 1;
	}
	fputc('"', js->file);
}

/* @key is NULL in an array. */
static void begin(struct json *js, const char *key)
{
	if (js->comma)
		fputc(',', js->file);
	js->comma = true;
	if (key) {
		put_string(js, key);
		fputc(':', js->file);
	}
}

void json_open(struct json *js, const char *key, char bracket)
{
	begin(js, key);
	fputc(bracket, js->file);
	js->comma = false;
}

void json_close(struct json *js, char bracket)
{
	fputc(bracket, js->file);
	js->comma = true;
}

void json_string(struct json *js, const char *key, const char *value)
{
	begin(js, key);
	put_string(js, value);
}

void json_number(struct json *js, const char *key, uint64_t value)
{
	begin(js, key);
	fprintf(js->file, "%" PRIu64, value);
}

void json_integer(struct json *js, const char *key, int64_t value)
{
	begin(js, key);
	fprintf(js->file, "%" PRId64, value);
}

void json_real(struct json *js, const char *key, double value, int decimals)
{
	begin(js, key);
	fprintf(js->file, "%.*f", decimals, value);
}

void json_null(struct json *js, const char *key)
{
	begin(js, key);
	fputs("null", js->file);
}

/* Nothing of nothing is not zero: it is unknown. */
void json_ratio(struct json *js, const char *key, uint64_t part, uint64_t all)
{
	begin(js, key);
	if (all)
		fprintf(js->file, "%.6g", (double)part / (double)all);
	else
		fputs("null", js->file);
}

void json_bool(struct json *js, const char *key, bool value)
{
	begin(js, key);
	fputs(value ? "true" : "false", js->file);
}
