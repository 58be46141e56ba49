namespace ChannelBridge.Abstractions.Settings;

/// <summary>How the value of a setting is written.</summary>
public enum SettingKind
{
    /// <summary>Any text.</summary>
    Text,

    /// <summary>An array, or one text with commas or semicolons.</summary>
    List,

    /// <summary>A whole number.</summary>
    Number,

    /// <summary>A number with a fraction, written with a point.</summary>
    Fraction,

    /// <summary>A length of time: a number with <c>ms</c>, <c>s</c>, <c>m</c>, <c>h</c> or <c>d</c>.</summary>
    Duration,

    /// <summary>Bytes: a number alone, or with <c>KiB</c>, <c>MiB</c> or <c>GiB</c>.</summary>
    Size,

    /// <summary><c>true</c> or <c>false</c>.</summary>
    Flag,

    /// <summary>One of a few words.</summary>
    Choice,

    /// <summary>Whatever stands below the key; its owner checks it.</summary>
    Open,
}
