using System.Text;
using ChannelBridge.Abstractions.Errors;

namespace ChannelBridge.Channels.Juji.Connector;

/// <summary>An <c>.env</c> file: read whenever it is asked, for the community's script may have written it meanwhile; written owner-only and in one step.</summary>
internal sealed class EnvFile(string path)
{
    private const int MaxBytes = 4 * 1024 * 1024;
    private const UnixFileMode Owner = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    private static readonly Encoding Utf8 = Encoding.GetEncoding("utf-8", new EncoderReplacementFallback("?"), new DecoderReplacementFallback(""));
    private static readonly Lock Writing = new();

    /// <summary>Where it is.</summary>
    public string Path => path;

    /// <summary>Its text; empty when there is none.</summary>
    /// <exception cref="BridgeException">It can't be read, or is too large to be one.</exception>
    public string Read()
    {
        try
        {
            var info = new FileInfo(path);
            if (!info.Exists) return "";
            if (info.Length > MaxBytes) throw BridgeException.Unavailable($"{path} has {info.Length} bytes, which is no .env file; it is left alone");
            return Utf8.GetString(File.ReadAllBytes(path));
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            throw new BridgeException(ErrorCodes.Unavailable, $"{path} can't be read: {fault.Message}; it is left alone", fault) { Retryable = true };
        }
    }

    /// <summary>Changes values and keeps the others.</summary>
    /// <exception cref="BridgeException">It can't be written, or is a link to somewhere else; then it is as it was.</exception>
    public void Save(IReadOnlyDictionary<string, string> values)
    {
        if (values.FirstOrDefault(static value => !EnvText.IsPlain(value.Value)).Key is { } odd)
            throw BridgeException.Invalid($"the value of {odd} has spaces, quotes or control characters in it and is not written to {path}");
        lock (Writing)
        {
            var old = Read();
            var text = EnvText.Write(old, values);
            if (text == old && File.Exists(path)) return;
            try
            {
                if (new FileInfo(path).LinkTarget is not null) throw new IOException("it is a link to another place");
                Folder();
                var temporary = $"{path}.{Environment.ProcessId}.{Guid.NewGuid():N}.tmp";
                try
                {
                    var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, Share = FileShare.None };
                    if (!OperatingSystem.IsWindows()) options.UnixCreateMode = Owner;
                    using (var stream = new FileStream(temporary, options))
                    {
                        stream.Write(Utf8.GetBytes(text));
                        stream.Flush(flushToDisk: true);
                    }

                    File.Move(temporary, path, overwrite: true);
                }
                catch
                {
                    File.Delete(temporary);
                    throw;
                }
            }
            catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
            {
                throw new BridgeException(ErrorCodes.Unavailable, $"{path} can't be written: {fault.Message}; it is left as it was", fault) { Retryable = true };
            }
        }
    }

    private void Folder()
    {
        var folder = System.IO.Path.GetDirectoryName(path)!;
        if (Directory.Exists(folder)) return;
        if (OperatingSystem.IsWindows()) Directory.CreateDirectory(folder);
        else Directory.CreateDirectory(folder, Owner | UnixFileMode.UserExecute);
    }
}
