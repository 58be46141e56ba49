using System.Text;

namespace ChannelBridge.Identity;

/// <summary>Private keys in files: readable by their owner only, written in one step, never half there.</summary>
public static class IdentityKeyFile
{
    private const int MaxLength = 64 * 1024;
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    private const UnixFileMode Others = (UnixFileMode)0x3F;

    /// <summary>Reads a key.</summary>
    /// <exception cref="IdentityException">There is no such file, others may read it, or it holds no key that can be read.</exception>
    public static IdentityKey Read(string path, string? passphrase = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        string text;
        try
        {
            using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read);
            if (!OperatingSystem.IsWindows() && (File.GetUnixFileMode(stream.SafeFileHandle) & Others) != UnixFileMode.None)
                throw new IdentityException(IdentityFault.NotPrivate, $"others may read the key file {path}; make it private with: chmod 600 {path}");
            if (stream.Length > MaxLength) throw new IdentityException(IdentityFault.Malformed, $"{path} is too large to be a key file");
            using var reader = new StreamReader(stream, Encoding.UTF8);
            text = reader.ReadToEnd();
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            throw new IdentityException(IdentityFault.File, $"can't read the key file {path}: {fault.Message}", fault);
        }

        try
        {
            return IdentityKey.FromPem(text, passphrase);
        }
        catch (IdentityException fault)
        {
            throw new IdentityException(fault.Fault, $"{path}: {fault.Message}", fault);
        }
    }

    /// <summary>Writes a key over whatever is there.</summary>
    /// <exception cref="IdentityException">The file can't be written.</exception>
    public static void Write(string path, IdentityKey key, string? passphrase = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ArgumentNullException.ThrowIfNull(key);
        _ = TryWrite(path, key.ToPem(passphrase), overwrite: true);
    }

    /// <summary>Reads a key, or makes one where there is no file. Of several processes that do so at once, all have the same key.</summary>
    /// <exception cref="IdentityException">As <see cref="Read"/> and <see cref="Write"/>.</exception>
    public static IdentityKey ReadOrCreate(string path, string? passphrase = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (File.Exists(path)) return Read(path, passphrase);
        var made = IdentityKey.Create();
        if (TryWrite(path, made.ToPem(passphrase), overwrite: false)) return made;
        made.Dispose();
        return Read(path, passphrase);
    }

    /// <summary>False when the file is there already and must stay.</summary>
    private static bool TryWrite(string path, string pem, bool overwrite)
    {
        path = Path.GetFullPath(path);
        var temporary = $"{path}.{Guid.NewGuid():N}.tmp";
        try
        {
            var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
            if (!OperatingSystem.IsWindows()) options.UnixCreateMode = OwnerOnly;
            using (var stream = new FileStream(temporary, options))
            {
                stream.Write(Encoding.ASCII.GetBytes(pem));
                stream.Flush(flushToDisk: true);
            }

            File.Move(temporary, path, overwrite);
            return true;
        }
        catch (IOException) when (!overwrite && File.Exists(path))
        {
            File.Delete(temporary);
            return false;
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            if (File.Exists(temporary)) File.Delete(temporary);
            throw new IdentityException(IdentityFault.File, $"can't write the key file {path}: {fault.Message}", fault);
        }
    }
}
