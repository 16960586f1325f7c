// Intl, as far as formatting goes; Python's runtime writes the text.
(function ({ part }) {
  const { Date, Number } = part("clock");
  const FIELDS = ["weekday", "era", "year", "month", "day", "hour", "minute", "second", "dateStyle", "timeStyle", "fractionalSecondDigits", "dayPeriod"];
  class DateTimeFormat {
    constructor(locale = "en-US", options = {}) {
      this.locale = Array.isArray(locale) ? locale[0] : locale;
      this.options = options;
      this.format = (value) => {
        const date = value === undefined ? new Date() : new Date(value);
        if (Number.isNaN(+date)) throw new RangeError("Invalid time value");
        const asked = FIELDS.some((field) => options[field] !== undefined);
        return asked ? date.toLocaleString(locale, options) : date.toLocaleDateString(locale, options);
      };
    }
    resolvedOptions() {
      return { locale: this.locale, calendar: "gregory", numberingSystem: "latn", timeZone: "UTC", ...this.options };
    }
  }
  class NumberFormat {
    constructor(locale = "en-US", options = {}) {
      this.format = (value) => Number(value).toLocaleString(locale, options);
      this.resolvedOptions = () => ({ locale, numberingSystem: "latn", ...options });
    }
  }
  const callable = (Class) => new Proxy(Class, { apply: (target, _self, given) => new target(...given) });
  return { Intl: { DateTimeFormat: callable(DateTimeFormat), NumberFormat: callable(NumberFormat) } };
});
